from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fcn_edge.backends.cuda import kernel_cache
from fcn_edge.backends.cuda.errors import RefusedCodeError
from fcn_edge.errors import DeviceError
from fcn_edge.testing.gpu import FakeGpu


class Loading(FakeGpu):
    """A fake that keeps what it loads, and whose driver has a version."""

    def __init__(self, driver: tuple[int, int] = (13, 0), capability: tuple[int, int] = (8, 7)) -> None:
        super().__init__(capability=capability)
        self.facts = replace(self.facts, driver=driver)
        self.loaded: list[bytes] = []

    def module_load(self, image: bytes) -> int:
        self.loaded.append(image)
        return super().module_load(image)


class WithoutCompiler(Loading):
    """A machine from which the compiler has gone."""

    def compile(self, source: str, name: str) -> bytes:
        raise AssertionError(f"{name} is compiled")


def image(gpu: Loading, directory: Path | None, source: str = "code") -> bytes:
    """The code that is loaded for a source."""
    gpu.enter()
    try:
        kernel_cache.module_of(gpu, source, "decode.cu", directory)
    finally:
        gpu.leave()
    return gpu.loaded[-1]


def compiled(gpu: FakeGpu) -> int:
    return sum(name == "compile" for name, *_ in gpu.calls)


def test_a_kernel_is_compiled_once(tmp_path: Path) -> None:
    first, second = Loading(), Loading()
    assert image(first, tmp_path) == image(second, tmp_path) == b"code"
    assert (compiled(first), compiled(second)) == (1, 0)
    assert [path.name.startswith("decode-sm_87-") for path in tmp_path.iterdir()] == [True]


def test_a_kept_kernel_needs_no_compiler(tmp_path: Path) -> None:
    image(Loading(), tmp_path)
    assert image(WithoutCompiler(), tmp_path) == b"code"
    with pytest.raises(AssertionError, match="is compiled"):
        image(WithoutCompiler(), tmp_path, "other code")


@pytest.mark.parametrize(
    ("gpu", "source"),
    [(Loading(), "other code"), (Loading(driver=(12, 6)), "code"), (Loading(capability=(8, 9)), "code")],
    ids=["source", "driver", "architecture"],
)
def test_another_one_is_compiled_anew(tmp_path: Path, gpu: Loading, source: str) -> None:
    image(Loading(), tmp_path)
    image(gpu, tmp_path, source)
    assert compiled(gpu) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_what_the_driver_refuses_is_compiled_again_and_replaced(tmp_path: Path) -> None:
    image(Loading(), tmp_path)
    (path,) = tmp_path.iterdir()
    kernel_cache.keep(path, b"stale code")
    gpu = Loading()
    gpu.modules.refused.add(b"stale code")
    assert image(gpu, tmp_path) == b"code"
    assert compiled(gpu) == 1
    assert kernel_cache.kept(path) == b"code"


def test_what_is_refused_as_soon_as_it_is_compiled_is_told_and_not_kept(tmp_path: Path) -> None:
    gpu = Loading()
    gpu.modules.refused.add(b"code")
    with pytest.raises(RefusedCodeError, match="no code for this GPU"):
        image(gpu, tmp_path)
    assert compiled(gpu) == 1
    assert list(tmp_path.iterdir()) == []


def test_another_failure_of_loading_is_no_reason_to_compile(tmp_path: Path) -> None:
    image(Loading(), tmp_path)
    gpu = FakeGpu(fail_at=2)
    gpu.enter()
    with pytest.raises(DeviceError, match="failed in module_load"):
        kernel_cache.module_of(gpu, "code", "decode.cu", tmp_path)
    assert compiled(gpu) == 0


@pytest.mark.parametrize("damage", [lambda kept: b"", lambda kept: kept[:-1], lambda kept: kept[:-1] + b"\0"])
def test_a_damaged_file_is_compiled_and_written_anew(tmp_path: Path, damage: object) -> None:
    image(Loading(), tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    gpu = Loading()
    assert image(gpu, tmp_path) == b"code"
    assert compiled(gpu) == 1
    assert path.read_bytes() == whole


@pytest.mark.parametrize("others_write", ["file", "folder"])
def test_code_that_others_could_have_written_is_not_run(tmp_path: Path, others_write: str) -> None:
    folder = tmp_path / "kernels"
    image(Loading(), folder)
    (path,) = folder.iterdir()
    (path if others_write == "file" else folder).chmod(0o777)
    gpu = Loading()
    assert image(gpu, folder) == b"code"
    assert compiled(gpu) == 1


def test_kernels_are_kept_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        image(Loading(), tmp_path / "kernels")
    finally:
        os.umask(before)
    gpu = Loading()
    image(gpu, tmp_path / "kernels")
    assert compiled(gpu) == 0


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    gpu = Loading()
    assert image(gpu, tmp_path / "file" / "kernels") == b"code"
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_cache_lies_in_the_user_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FCN_EDGE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel_cache.cache_directory() == tmp_path / "fcn_edge" / "kernels"
    monkeypatch.setenv("FCN_EDGE_CACHE", str(tmp_path / "own"))
    assert kernel_cache.cache_directory() == tmp_path / "own" / "kernels"


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    for name in ("FCN_EDGE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert image(Loading(), None) == b"code"
