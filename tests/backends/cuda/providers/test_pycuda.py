"""pycuda's provider on a stand-in for pycuda, which cannot be installed without CUDA's headers and a driver."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda import device as cuda_device
from fcn_edge.backends.cuda.providers import cuda_python, pycuda
from fcn_edge.backends.cuda.providers.pycuda import PyCuda, open_gpu
from fcn_edge.errors import DeviceError, MachineError
from fcn_edge.testing.gpu import FakeGpu

from ..gpu import KERNELS
from .fake_pycuda import NVCC, fake_pycuda

SIZE = (64, 96)
IMAGE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8).repeat(12, axis=0).repeat(12, axis=1)


@pytest.fixture(autouse=True)
def version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pycuda.metadata, "version", lambda package: {"pycuda": "2026.1"}[package])


@pytest.fixture
def provider() -> Callable[..., tuple[PyCuda, FakeGpu]]:
    def make(**how: Any) -> tuple[PyCuda, FakeGpu]:
        gpu = FakeGpu(KERNELS, has_graphs=False, **how)
        module, compiler = fake_pycuda(gpu)
        return PyCuda(module, lambda: (compiler, NVCC)), gpu

    return make


def test_it_says_what_it_is_and_has_no_graphs(provider: Any) -> None:
    driver = provider()[0]
    assert (driver.facts.library, driver.has_graphs) == ("pycuda 2026.1", False)


def test_the_primary_context_is_retained_once(provider: Any) -> None:
    driver, _ = provider()
    for _ in range(3):
        driver.enter()
        driver.leave()
    assert driver._device.retained == 1


@pytest.mark.parametrize("error", [OSError("nvcc was not found"), "CompileError"])
def test_kernels_that_do_not_compile_are_one_sentence(provider: Any, error: Any) -> None:
    driver, _ = provider()
    if error == "CompileError":
        error = type("CompileError", (driver._cuda.Error,), {"stderr": "kernel.cu(3): error: no such thing\nmore"})()

    def fail(*_: Any, **__: Any) -> None:
        raise error

    driver._find_compiler()[0].compile = fail
    with pytest.raises(MachineError, match=r"cannot be compiled: decode\.cu: (nvcc was|kernel)") as caught:
        driver.compile("", "decode.cu")
    assert "\n" not in str(caught.value)
    assert caught.value.fix.startswith(f"pycuda compiles with {NVCC}, which must know the GPU")


@pytest.fixture
def import_pycuda(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Makes ``import pycuda.driver`` give modules, or fail."""
    real = builtins.__import__

    def set_found(found: Any) -> None:
        def imported(name: str, *rest: Any, **more: Any) -> Any:
            if name.startswith("pycuda") and isinstance(found, Exception):
                raise found
            return real(name, *rest, **more)

        if not isinstance(found, Exception):
            package = ModuleType("pycuda")
            package.driver, package.compiler = found  # type: ignore[attr-defined]
            for key, module in (("pycuda", package), ("pycuda.driver", found[0]), ("pycuda.compiler", found[1])):
                monkeypatch.setitem(sys.modules, key, module)
        monkeypatch.setattr(builtins, "__import__", imported)

    return set_found


@pytest.fixture
def nvcc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], str]:
    """Puts nvcc on the PATH, where the toolkit's packages put it, or nowhere; gives its path."""

    def put(where: str) -> str:
        found = tmp_path / where / "nvcc"
        found.parent.mkdir()
        if where != "nowhere":
            found.touch(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "path"))
        monkeypatch.setattr(pycuda, "_NVCC", tmp_path / "toolkit" / "nvcc")
        return str(found)

    return put


@pytest.mark.parametrize("where", ["path", "toolkit"])
def test_the_installed_package_compiles_with_nvcc_wherever_it_is(import_pycuda: Any, nvcc: Any, where: str) -> None:
    driver, compiler = fake_pycuda(FakeGpu())
    used: list[str] = []
    compiler.compile = lambda source, nvcc, **how: used.append(nvcc) or b"code"  # type: ignore[attr-defined]
    import_pycuda((driver, compiler))
    found = nvcc(where)
    gpu = open_gpu(0)
    assert gpu is not None
    assert gpu.facts.name == "Fake GPU"
    assert (used, gpu.compile("", "decode.cu"), used) == ([found], b"code", [found])


def test_nvcc_is_missed_only_when_something_must_be_compiled(import_pycuda: Any, nvcc: Any, tmp_path: Path) -> None:
    import_pycuda(fake_pycuda(FakeGpu()))
    nvcc("nowhere")
    gpu = open_gpu(0)
    assert gpu is not None
    with pytest.raises(MachineError, match="there is no nvcc") as caught:
        gpu.compile("code", "decode.cu")
    assert "fcn_edge[cuda12]" in caught.value.fix


@pytest.mark.parametrize("chosen", ["", "pycuda"])
def test_it_is_taken_where_it_is_alone_or_chosen(
    import_pycuda: Any, nvcc: Any, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    import_pycuda(fake_pycuda(FakeGpu()))
    nvcc("path")
    monkeypatch.setenv("FCN_EDGE_CUDA", chosen)
    monkeypatch.setattr(cuda_python, "open_gpu", lambda index: FakeGpu() if chosen else None)
    with cuda_device.open_device() as device:
        assert (device.facts.library, device.has_graphs) == ("pycuda 2026.1", False)


def test_cuda_python_comes_first_because_it_has_graphs(
    import_pycuda: Any, nvcc: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_pycuda(fake_pycuda(FakeGpu()))
    nvcc("path")
    monkeypatch.delenv("FCN_EDGE_CUDA", raising=False)
    monkeypatch.setattr(cuda_python, "open_gpu", lambda index: FakeGpu())
    with cuda_device.open_device() as device:
        assert device.has_graphs


def test_no_package_is_no_gpu(import_pycuda: Any) -> None:
    import_pycuda(ModuleNotFoundError("No module named 'pycuda'", name="pycuda"))
    assert open_gpu(0) is None


def test_a_module_that_pycuda_lacks_is_not_mistaken_for_pycuda(import_pycuda: Any) -> None:
    import_pycuda(ModuleNotFoundError("No module named 'pytools'", name="pytools"))
    with pytest.raises(ModuleNotFoundError):
        open_gpu(0)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("libcuda.so.1: cannot open shared object file", DeviceError, "NVIDIA's driver is not here"),
        ("_driver.so: undefined symbol: cuArrayCreate_v2", MachineError, "pycuda is installed and cannot be loaded"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_one_sentence(
    import_pycuda: Any, text: str, error: type[MachineError], message: str
) -> None:
    import_pycuda(ImportError(text))
    with pytest.raises(error, match=message) as caught:
        open_gpu(0)
    assert "\n" not in str(caught.value)
