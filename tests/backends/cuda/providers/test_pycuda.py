"""pycuda's provider on a stand-in for pycuda, which cannot be installed without CUDA's headers and a driver."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda import device as cuda_device
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.providers import cuda_python, pycuda
from fcn_edge.backends.cuda.providers.pycuda import PyCuda, open_gpu
from fcn_edge.errors import DeviceError, MachineError
from fcn_edge.testing.engine import FakeSession, fake_spec
from fcn_edge.testing.gpu import FakeGpu

from ..gpu import KERNELS, FakeGpuEngine
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
        return PyCuda(*fake_pycuda(gpu), NVCC), gpu

    return make


def test_facts(provider: Any) -> None:
    facts = provider(integrated=True)[0].facts
    assert (facts.name, facts.arch, facts.integrated) == ("Fake GPU", "sm_87", True)
    assert facts.multiprocessors == 16
    assert (facts.total_bytes, facts.driver, facts.library) == (1 << 33, (12, 6), "pycuda 2026.1")


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
@pytest.mark.parametrize("head", ["scores", "labels"])
def test_a_session_runs_through_it_and_leaves_nothing(
    provider: Any, tmp_path: Path, integrated: bool, head: str
) -> None:
    driver, gpu = provider(integrated=integrated)
    network = (lambda image: image[..., 0] % 11) if head == "labels" else None
    spec = fake_spec(head=head)
    host = FakeSession(spec, SIZE, network)
    with FakeGpuEngine(gpu, Device(driver, tmp_path), spec, SIZE, output=network) as engine:
        for _ in range(2):
            with engine.session() as session:
                for image in (IMAGE, IMAGE[:50], IMAGE):
                    np.testing.assert_array_equal(session.labels(image), host.labels(image))
    assert gpu.leftovers == []


def test_every_thread_has_the_context_while_it_calls_and_not_longer(provider: Any, tmp_path: Path) -> None:
    driver, gpu = provider()
    expected = FakeSession(fake_spec(), SIZE).labels(IMAGE)
    with (
        FakeGpuEngine(gpu, Device(driver, tmp_path), fake_spec(), SIZE) as engine,
        engine.session() as session,
        ThreadPoolExecutor(1) as first,
        ThreadPoolExecutor(1) as second,
        ThreadPoolExecutor(1) as third,
    ):
        for _ in range(5):
            job = first.submit(session.preprocess, IMAGE).result()
            job = second.submit(session.infer, job).result()
            np.testing.assert_array_equal(third.submit(session.postprocess, job).result(), expected)
        depths = [thread.submit(lambda: gpu.entered).result() for thread in (first, second, third)]
    assert depths == [0, 0, 0]
    assert gpu.entered == 0


def test_a_gpu_is_taken_by_its_index() -> None:
    gpu = FakeGpu(index=1)
    assert PyCuda(*fake_pycuda(gpu), NVCC, 1).facts.index == 1
    with pytest.raises(DeviceError, match="no GPU 2: this machine has GPUs 0 to 1"):
        PyCuda(*fake_pycuda(gpu), NVCC, 2)


def test_the_primary_context_is_retained_once(provider: Any) -> None:
    driver, _ = provider()
    for _ in range(3):
        driver.enter()
        driver.leave()
    assert driver._device.retained == 1


def test_rows_and_other_libraries_streams(provider: Any, tmp_path: Path) -> None:
    driver, _ = provider()
    device = Device(driver, tmp_path)
    with device.current():
        stream, source, target = device.stream(), device.host_buffer(12, True), device.host_buffer(6, True)
        source.array[...] = np.arange(12)
        stream.join(0x77)
        stream.copy_rows(target.pointer, 2, source.pointer, 4, 2, 3)
        stream.synchronize()
        np.testing.assert_array_equal(target.array, [0, 1, 4, 5, 8, 9])
        for made in (stream, source, target):
            made.close()
    device.close()


def test_graphs_are_not_there(provider: Any) -> None:
    driver, _ = provider()
    assert not driver.has_graphs
    with pytest.raises(MachineError, match="pycuda has no CUDA graphs"):
        driver.capture_begin(1)


def test_kernels_are_named_by_nvcc_s_version(provider: Any) -> None:
    assert provider()[0].compiler == f"{NVCC}: release 12.6, V12.6.68"


def test_errors_are_ours(provider: Any, tmp_path: Path) -> None:
    driver, _ = provider(total_bytes=10)
    device = Device(driver, tmp_path)
    with device.current():
        assert device.free_bytes() == 10
        with pytest.raises(MachineError, match=r"no memory left \(cuMemAlloc\)"):
            device.device_buffer(11)
    driver, _ = provider(fail_at=2)
    driver.enter()
    with pytest.raises(DeviceError, match="failed in cuStreamCreate: unknown error"):
        driver.stream_create()


@pytest.mark.parametrize("error", [OSError("nvcc was not found"), "CompileError"])
def test_kernels_that_do_not_compile_are_one_sentence(provider: Any, error: Any) -> None:
    driver, _ = provider()
    if error == "CompileError":
        error = type("CompileError", (driver._cuda.Error,), {"stderr": "kernel.cu(3): error: no such thing\nmore"})()

    def fail(*_: Any, **__: Any) -> None:
        raise error

    driver._compiler.compile = fail
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
def test_the_installed_package_is_taken_with_nvcc(import_pycuda: Any, nvcc: Any, where: str) -> None:
    import_pycuda(fake_pycuda(FakeGpu()))
    found = nvcc(where)
    gpu = open_gpu(0)
    assert gpu is not None
    assert gpu.facts.name == "Fake GPU"
    assert gpu.compiler.startswith(f"{found}: release")


@pytest.mark.parametrize("also", [True, False], ids=["and cuda-python", "alone"])
def test_without_nvcc_cuda_python_is_taken(
    import_pycuda: Any, nvcc: Any, monkeypatch: pytest.MonkeyPatch, also: bool
) -> None:
    import_pycuda(fake_pycuda(FakeGpu()))
    nvcc("nowhere")
    monkeypatch.setattr(cuda_python, "open_gpu", lambda index: FakeGpu(capability=(11, 0)) if also else None)
    if also:
        with cuda_device.open_device() as device:
            assert device.facts.capability == (11, 0)
        return
    with pytest.raises(MachineError, match="there is no nvcc") as caught:
        cuda_device.open_device()
    assert "fcn_edge[cuda12]" in caught.value.fix


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
