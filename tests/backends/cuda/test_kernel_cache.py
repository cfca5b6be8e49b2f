from __future__ import annotations

import os
from pathlib import Path

import pytest

from fcn_edge.backends.cuda import kernel_cache
from fcn_edge.testing.gpu import FakeGpu


class Compiling(FakeGpu):
    """A fake whose compiler has a version."""

    def __init__(self, version: str = "1.0", capability: tuple[int, int] = (8, 7)) -> None:
        super().__init__(capability=capability)
        self.version = version

    @property
    def compiler(self) -> str:
        return self.version


def image(gpu: FakeGpu, directory: Path, source: str = "code") -> bytes:
    with_context = gpu
    with_context.enter()
    try:
        return kernel_cache.image_of(gpu, source, "decode.cu", directory)
    finally:
        with_context.leave()


def compiled(gpu: FakeGpu) -> int:
    return sum(name == "compile" for name, *_ in gpu.calls)


def test_a_kernel_is_compiled_once(tmp_path: Path) -> None:
    first, second = Compiling(), Compiling()
    assert image(first, tmp_path) == image(second, tmp_path) == b"code"
    assert (compiled(first), compiled(second)) == (1, 0)
    assert [path.name.startswith("decode-sm_87-") for path in tmp_path.iterdir()] == [True]


@pytest.mark.parametrize(
    ("gpu", "source"),
    [(Compiling(), "other code"), (Compiling(version="1.1"), "code"), (Compiling(capability=(8, 9)), "code")],
    ids=["source", "compiler", "architecture"],
)
def test_another_one_is_compiled_anew(tmp_path: Path, gpu: FakeGpu, source: str) -> None:
    image(Compiling(), tmp_path)
    image(gpu, tmp_path, source)
    assert compiled(gpu) == 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda kept: b"", lambda kept: kept[:-1], lambda kept: kept[:-1] + b"\0"])
def test_a_damaged_file_is_compiled_and_written_anew(tmp_path: Path, damage: object) -> None:
    image(Compiling(), tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    gpu = Compiling()
    assert image(gpu, tmp_path) == b"code"
    assert compiled(gpu) == 1
    assert path.read_bytes() == whole


@pytest.mark.parametrize("others_write", ["file", "folder"])
def test_code_that_others_could_have_written_is_not_run(tmp_path: Path, others_write: str) -> None:
    folder = tmp_path / "kernels"
    image(Compiling(), folder)
    (path,) = folder.iterdir()
    (path if others_write == "file" else folder).chmod(0o777)
    gpu = Compiling()
    assert image(gpu, folder) == b"code"
    assert compiled(gpu) == 1


def test_kernels_are_kept_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        image(Compiling(), tmp_path / "kernels")
    finally:
        os.umask(before)
    gpu = Compiling()
    image(gpu, tmp_path / "kernels")
    assert compiled(gpu) == 0


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    gpu = Compiling()
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
    gpu = Compiling()
    gpu.enter()
    assert kernel_cache.image_of(gpu, "code", "decode.cu") == b"code"
