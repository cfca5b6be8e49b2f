from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fcn_edge.backends.tensorrt.library import compute_capabilities, library, typed_flags, weak_flags
from fcn_edge.errors import MachineError, MissingExtraError

from .standin import standin
from .trim_api import TRIMMED, VERSIONS, read


@pytest.fixture(autouse=True)
def forget() -> None:
    library.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> None:
    """Make ``tensorrt`` a module of this text."""
    (path / "tensorrt.py").write_text(text)
    monkeypatch.syspath_prepend(path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)


@pytest.mark.parametrize("version", VERSIONS)
def test_flags_go_by_name(version: str) -> None:
    """Bit 1 is strong typing in TensorRT 10 and another thing later."""
    trt = standin(read(TRIMMED / f"{version}.json"))
    ten = version.startswith("10.")
    assert typed_flags(trt) == (2 if ten else 1)
    assert weak_flags(trt) == (1 if ten else None)


def test_a_version_in_which_strong_typing_has_no_flag() -> None:
    trt = SimpleNamespace(NetworkDefinitionCreationFlag=SimpleNamespace())
    assert typed_flags(trt) == 0


def test_devices_that_are_elsewhere() -> None:
    kinds = ["NONE", "CURRENT", "SM75", "SM80", "SM121", "SM86", "SM120"]
    trt = SimpleNamespace(ComputeCapability=SimpleNamespace(__members__=dict.fromkeys(kinds)))
    assert compute_capabilities(trt) == ("8.0", "8.6", "12.0", "12.1")
    assert compute_capabilities(SimpleNamespace()) == ()


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fcn_edge.backends.tensorrt.library.import_module", missing("tensorrt"))
    with pytest.raises(MissingExtraError) as caught:
        library("tensorrt", tmp_path)
    assert "pip install 'fcn_edge[tensorrt]', " in caught.value.fix
    assert "pip install tensorrt-cu12" in caught.value.fix


def test_on_a_jetson_it_comes_from_jetpack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3")
    monkeypatch.setattr("fcn_edge.backends.tensorrt.library.import_module", missing("tensorrt"))
    with pytest.raises(MachineError, match="visible here") as caught:
        library("tensorrt", tmp_path)
    assert "--system-site-packages" in caught.value.fix


def test_a_package_of_the_library_s_that_is_missing_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.backends.tensorrt.library.import_module", missing("tensorrt_libs"))
    with pytest.raises(ModuleNotFoundError):
        library("tensorrt")


def missing(name: str) -> Any:
    def import_module(_: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    return import_module


def test_a_library_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, tmp_path, "raise ImportError('libnvdla_compiler.so: cannot open shared object file.')")
    with pytest.raises(
        MachineError, match=r"cannot be loaded: libnvdla_compiler\.so: cannot open shared object file\. "
    ):
        library("tensorrt")


def test_a_library_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "class NetworkDefinitionCreationFlag:\n    EXPLICIT_BATCH = 0\n__version__ = '8.6.2'\n"
    use(monkeypatch, tmp_path, text)
    with pytest.raises(MachineError, match=r"TensorRT 8\.6\.2 is installed; 10\.0 or newer was expected"):
        library("tensorrt")
