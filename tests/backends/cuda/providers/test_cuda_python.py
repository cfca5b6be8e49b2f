"""cuda-python's provider: its calls on a stand-in of the driver, and its compiler for real.

The stand-in hands every call's arguments to the real binding first, which takes them apart before it looks for the
driver's library, and so refuses wrong ones on a machine without a driver.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda.providers import cuda_python
from fcn_edge.backends.cuda.providers.cuda_python import CudaPython, open_gpu
from fcn_edge.errors import DeviceError, MachineError
from fcn_edge.ops.kernels import KERNELS, Launch, kernel_source

real = pytest.importorskip("cuda.bindings.driver", reason="cuda-python is not installed")


def driver_is_here() -> bool:
    try:
        real.cuInit(0)
    except RuntimeError:
        return False
    return True


DRIVER = driver_is_here()

NEW_DRIVER = 99000
"""Takes the code of every compiler."""

ATTRIBUTES = {
    "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR": 8,
    "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR": 7,
    "CU_DEVICE_ATTRIBUTE_INTEGRATED": 1,
    "CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT": 8,
}
ANSWERS: dict[str, tuple[Any, ...]] = {
    "cuDeviceGet": (0,),
    "cuDeviceGetCount": (1,),
    "cuDeviceGetName": (b"Orin\0\0\0",),
    "cuDeviceTotalMem": (8 << 30,),
    "cuDevicePrimaryCtxRetain": (0xC0,),
    "cuCtxPopCurrent": (0xC0,),
    "cuMemGetInfo": (100, 200),
    "cuStreamCreate": (0x51,),
    "cuEventCreate": (0xE1,),
    "cuEventElapsedTime": (1.5,),
    "cuMemAlloc": (0xD000,),
    "cuMemHostGetDevicePointer": (0xAAAA,),
    "cuModuleLoadData": (0xA0,),
    "cuModuleGetFunction": (0xF0,),
    "cuStreamEndCapture": (0x60,),
    "cuGraphInstantiate": (0x6E,),
}


class Cu:
    """The driver's module: what the real bindings have, with functions that record and answer.

    Attributes:
        calls: Name and arguments of every call.
        fails: Results of calls that are to fail, by name.
    """

    def __init__(self, driver: int = 12060, **facts: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fails: dict[str, Any] = {}
        self._answers = {**ANSWERS, "cuDriverGetVersion": (driver,)}
        self._attributes = {**ATTRIBUTES, **facts}
        self._host = (ctypes.c_uint8 * 64)()

    def __getattr__(self, name: str) -> Any:
        found = getattr(real, name)
        if not name.startswith("cu"):
            return found

        def call(*arguments: Any) -> tuple[Any, ...]:
            if not DRIVER:
                with pytest.raises(RuntimeError, match="driver library"):
                    found(*arguments)
            self.calls.append((name, *arguments))
            if name in self.fails:
                failure = self.fails[name]
                if isinstance(failure, Exception):
                    raise failure
                return (SimpleNamespace(name=failure), *[None for _ in ANSWERS.get(name, ())])
            if name == "cuDeviceGetAttribute":
                return real.CUresult.CUDA_SUCCESS, self._attributes[arguments[0].name]
            if name == "cuMemHostAlloc":
                return real.CUresult.CUDA_SUCCESS, ctypes.addressof(self._host)
            return (real.CUresult.CUDA_SUCCESS, *self._answers.get(name, ()))

        return call


def nvrtc() -> Any:
    return pytest.importorskip("cuda.bindings.nvrtc")


@pytest.fixture
def cu() -> Cu:
    return Cu()


@pytest.fixture
def gpu(cu: Cu) -> CudaPython:
    made = CudaPython(cu, nvrtc)
    made.enter()
    cu.calls.clear()
    return made


def test_facts_are_read_without_a_context(cu: Cu) -> None:
    facts = CudaPython(cu, nvrtc).facts
    assert (facts.name, facts.capability, facts.integrated) == ("Orin", (8, 7), True)
    assert (facts.multiprocessors, facts.device.name) == (8, "Orin")
    assert (facts.total_bytes, facts.driver) == (8 << 30, (12, 6))
    assert facts.library.startswith("cuda-python ")
    assert not [call for call in cu.calls if "Ctx" in call[0]]


def test_a_gpu_is_taken_by_its_index(cu: Cu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cu._answers, "cuDeviceGetCount", (3,))
    assert CudaPython(cu, nvrtc, 2).facts.index == 2
    assert ("cuDeviceGet", 2) in cu.calls
    with pytest.raises(DeviceError, match="no GPU 3: this machine has GPUs 0 to 2"):
        CudaPython(cu, nvrtc, 3)


def test_the_primary_context_is_retained_once_and_released_once(cu: Cu) -> None:
    gpu = CudaPython(cu, nvrtc)
    cu.calls.clear()
    gpu.enter()
    gpu.leave()
    gpu.enter()
    gpu.leave()
    gpu.close()
    gpu.close()
    assert cu.calls == [
        ("cuDevicePrimaryCtxRetain", 0),
        ("cuCtxPushCurrent", 0xC0),
        ("cuCtxPopCurrent",),
        ("cuCtxPushCurrent", 0xC0),
        ("cuCtxPopCurrent",),
        ("cuDevicePrimaryCtxRelease", 0),
    ]


def test_threads_that_enter_first_retain_the_context_once(cu: Cu) -> None:
    gpu = CudaPython(cu, nvrtc)
    answer, both_are_in = cu.cuDevicePrimaryCtxRetain, threading.Barrier(2)

    def retained(device: int) -> Any:
        with suppress(threading.BrokenBarrierError):  # the second one never comes
            both_are_in.wait(timeout=0.2)
        return answer(device)

    cu.cuDevicePrimaryCtxRetain = retained  # type: ignore[attr-defined]
    with ThreadPoolExecutor(2) as threads:
        for entered in [threads.submit(gpu.enter) for _ in range(2)]:
            entered.result()
    assert [call for call, *_ in cu.calls if "Ctx" in call] == [
        "cuDevicePrimaryCtxRetain",
        "cuCtxPushCurrent",
        "cuCtxPushCurrent",
    ]


HOST = np.zeros(16, np.uint8)


@pytest.mark.parametrize(
    ("use", "result", "calls"),
    [
        (lambda gpu: gpu.free_bytes(), 100, [("cuMemGetInfo",)]),
        (lambda gpu: gpu.stream_create(), 0x51, [("cuStreamCreate", 1)]),
        (lambda gpu: gpu.stream_synchronize(0x51), None, [("cuStreamSynchronize", 0x51)]),
        (
            lambda gpu: gpu.stream_join(0x51, 2),
            None,
            [
                ("cuEventCreate", 1),
                ("cuEventRecord", 0xE1, 2),
                ("cuStreamWaitEvent", 0x51, 0xE1, 0),
                ("cuEventDestroy", 0xE1),
            ],
        ),
        (lambda gpu: gpu.stream_destroy(0x51), None, [("cuStreamDestroy", 0x51)]),
        (lambda gpu: gpu.event_create(), 0xE1, [("cuEventCreate", 1)]),
        (lambda gpu: gpu.event_record(0xE1, 0x51, False), None, [("cuEventRecord", 0xE1, 0x51)]),
        (lambda gpu: gpu.event_record(0xE1, 0x51, True), None, [("cuEventRecordWithFlags", 0xE1, 0x51, 1)]),
        (lambda gpu: gpu.event_synchronize(0xE1), None, [("cuEventSynchronize", 0xE1)]),
        (lambda gpu: gpu.event_elapsed_ms(1, 2), 1.5, [("cuEventElapsedTime", 1, 2)]),
        (lambda gpu: gpu.event_destroy(0xE1), None, [("cuEventDestroy", 0xE1)]),
        (lambda gpu: gpu.device_alloc(16), 0xD000, [("cuMemAlloc", 16)]),
        (lambda gpu: gpu.device_free(0xD000), None, [("cuMemFree", 0xD000)]),
        (lambda gpu: gpu.upload(7, HOST, 0x51), None, [("cuMemcpyHtoDAsync", 7, HOST.ctypes.data, 16, 0x51)]),
        (lambda gpu: gpu.download(HOST, 7, 0x51), None, [("cuMemcpyDtoHAsync", HOST.ctypes.data, 7, 16, 0x51)]),
        (lambda gpu: gpu.copy_rows(7, 9, 8, 9, 5, 1, 0x51), None, [("cuMemcpyAsync", 7, 8, 5, 0x51)]),
        (lambda gpu: gpu.fill(7, 1, 4, 0x51), None, [("cuMemsetD8Async", 7, 1, 4, 0x51)]),
        (lambda gpu: gpu.module_load(b"code"), 0xA0, [("cuModuleLoadData", b"code")]),
        (lambda gpu: gpu.module_function(0xA0, "decode"), 0xF0, [("cuModuleGetFunction", 0xA0, b"decode")]),
        (lambda gpu: gpu.module_unload(0xA0), None, [("cuModuleUnload", 0xA0)]),
        (
            lambda gpu: gpu.capture_begin(0x51),
            None,
            [("cuStreamBeginCapture", 0x51, real.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)],
        ),
        (
            lambda gpu: gpu.capture_end(0x51),
            0x6E,
            [("cuStreamEndCapture", 0x51), ("cuGraphInstantiate", 0x60, 0), ("cuGraphDestroy", 0x60)],
        ),
        (lambda gpu: gpu.graph_launch(0x6E, 0x51), None, [("cuGraphLaunch", 0x6E, 0x51)]),
        (lambda gpu: gpu.graph_destroy(0x6E), None, [("cuGraphExecDestroy", 0x6E)]),
    ],
)
def test_every_call(cu: Cu, gpu: CudaPython, use: Callable[[Any], Any], result: Any, calls: list[Any]) -> None:
    assert use(gpu) == result
    assert cu.calls == calls


def test_rows_are_copied_between_unified_addresses(cu: Cu, gpu: CudaPython) -> None:
    gpu.copy_rows(0x7000, 9, 0x8000, 12, 5, 3, 0x51)
    ((name, copy, stream),) = cu.calls
    assert (name, stream) == ("cuMemcpy2DAsync", 0x51)
    assert copy.srcMemoryType == copy.dstMemoryType == real.CUmemorytype.CU_MEMORYTYPE_UNIFIED
    assert (int(copy.srcDevice), copy.srcPitch, int(copy.dstDevice), copy.dstPitch) == (0x8000, 12, 0x7000, 9)
    assert (copy.WidthInBytes, copy.Height) == (5, 3)


@pytest.mark.parametrize(("mapped", "flags", "pointer"), [(False, 1, 0), (True, 3, 0xAAAA)])
def test_host_memory_is_an_array_over_the_allocation(
    cu: Cu, gpu: CudaPython, mapped: bool, flags: int, pointer: int
) -> None:
    memory = gpu.host_alloc(64, mapped)
    assert cu.calls[0] == ("cuMemHostAlloc", 64, flags)
    assert (memory.pointer, memory.address) == (pointer, memory.array.ctypes.data)
    memory.array[...] = 7
    assert bytes(cu._host) == b"\7" * 64
    gpu.host_free(memory)
    assert cu.calls[-1] == ("cuMemFreeHost", memory.address)


def test_memory_that_cannot_be_mapped_is_freed(cu: Cu, gpu: CudaPython) -> None:
    cu.fails["cuMemHostGetDevicePointer"] = "CUDA_ERROR_INVALID_VALUE"
    with pytest.raises(DeviceError, match="cuMemHostGetDevicePointer"):
        gpu.host_alloc(64, True)
    assert cu.calls[-1][0] == "cuMemFreeHost"


def test_arguments_are_passed_by_the_addresses_of_their_bytes(cu: Cu, gpu: CudaPython) -> None:
    seen: list[Any] = []

    def launched(*arguments: Any) -> tuple[Any, ...]:
        addresses = (ctypes.c_uint64 * 4).from_address(arguments[9])
        kinds = (ctypes.c_uint64, ctypes.c_int32, ctypes.c_float, ctypes.c_int64)
        seen.extend(kind.from_address(at).value for kind, at in zip(kinds, addresses, strict=True))
        assert arguments[:9] == (0xF0, 1, 2, 3, 4, 5, 6, 99, 0x51)
        return (real.CUresult.CUDA_SUCCESS,)

    take_apart = cu.cuLaunchKernel
    cu.cuLaunchKernel = lambda *arguments: (take_apart(*arguments), launched(*arguments))[1]  # type: ignore[attr-defined]
    values = (np.uint64(0xDEADBEEF00), np.int32(-3), np.float32(0.5), np.int64(-(1 << 40)))
    launch = Launch("decode", "decode", (1, 2, 3), (4, 5, 6), 99, values)
    for _ in range(2):
        gpu.launch(0xF0, launch, 0x51)
    assert seen == 2 * [0xDEADBEEF00, -3, 0.5, -(1 << 40)]
    assert cu.calls[0] == cu.calls[1]  # they were packed once


def test_older_bindings_make_graphs_by_the_function_with_flags(cu: Cu, gpu: CudaPython) -> None:
    made: list[Any] = []
    cu.cuGraphInstantiateWithFlags = lambda *arguments: (  # type: ignore[attr-defined]
        made.append(arguments) or real.CUresult.CUDA_SUCCESS,
        0x6F,
    )
    assert gpu.capture_end(0x51) == 0x6F
    assert made == [(0x60, 0)]


def test_a_graph_that_cannot_be_made_is_given_back(cu: Cu, gpu: CudaPython) -> None:
    cu.fails["cuGraphInstantiate"] = "CUDA_ERROR_OUT_OF_MEMORY"
    with pytest.raises(MachineError, match="no memory left"):
        gpu.capture_end(0x51)
    assert cu.calls[-1] == ("cuGraphDestroy", 0x60)


def test_a_graph_is_given_back_when_what_it_was_made_of_cannot_be(cu: Cu, gpu: CudaPython) -> None:
    cu.fails["cuGraphDestroy"] = "CUDA_ERROR_UNKNOWN"
    with pytest.raises(MachineError, match="cuGraphDestroy"):
        gpu.capture_end(0x51)
    assert cu.calls[-1][0] == "cuGraphExecDestroy"


@pytest.mark.parametrize(
    ("call", "result", "error", "message"),
    [
        ("cuInit", "CUDA_ERROR_NO_DEVICE", DeviceError, "finds no GPU"),
        ("cuInit", RuntimeError('"cuda" can only be found via system search.\nMore'), DeviceError, "is not here"),
        ("cuInit", "CUDA_ERROR_STUB_LIBRARY", DeviceError, "runs nothing"),
        ("cuDeviceGet", RuntimeError("function cuDeviceGet is not found"), MachineError, "driver has no cuDeviceGet"),
    ],
)
def test_no_driver_and_no_gpu_are_told(call: str, result: Any, error: type[Exception], message: str) -> None:
    cu = Cu()
    cu.fails[call] = result
    with pytest.raises(error, match=message):
        CudaPython(cu, nvrtc)


def test_a_driver_without_a_function_is_too_old(cu: Cu, gpu: CudaPython) -> None:
    cu.fails["cuEventRecordWithFlags"] = RuntimeError('Function "cuEventRecordWithFlags" not found')
    with pytest.raises(MachineError, match=r"for CUDA 12\.6, has no cuEventRecordWithFlags"):
        gpu.event_record(1, 2, True)


@pytest.mark.skipif(DRIVER, reason="a driver is here")
def test_no_driver_is_here_and_that_is_one_sentence() -> None:
    with pytest.raises(DeviceError) as caught:
        open_gpu(0)
    assert caught.value.message == "NVIDIA's driver is not here: its library libcuda.so.1 cannot be loaded."


@pytest.mark.parametrize("layout", range(2), ids=["bindings", "before 12.6"])
def test_both_layouts_of_the_package_are_known(monkeypatch: pytest.MonkeyPatch, layout: int) -> None:
    def imported(name: str) -> Any:
        if name == cuda_python._LAYOUTS[layout][0]:
            return Cu()
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(cuda_python, "import_module", imported)
    gpu = open_gpu(0)
    assert gpu is not None
    assert gpu.facts.name == "Orin"


def test_no_package_is_no_gpu_and_a_broken_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'cuda'", name="cuda")

    def broken(name: str) -> Any:
        raise ImportError("bindings.so: undefined symbol: cuInit")

    monkeypatch.setattr(cuda_python, "import_module", absent)
    assert open_gpu(0) is None
    monkeypatch.setattr(cuda_python, "import_module", broken)
    with pytest.raises(MachineError, match=r"cannot be loaded: bindings\.so: undefined symbol: cuInit"):
        open_gpu(0)


@pytest.mark.parametrize("capability", [(7, 5), (8, 7), (9, 0), (11, 0)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_compile_for_real(kernel: str, capability: tuple[int, int]) -> None:
    major, minor = capability
    gpu = CudaPython(
        Cu(
            NEW_DRIVER,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=major,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=minor,
        ),
        compiler_or_skip,
    )
    image = gpu.compile(kernel_source(kernel), f"{kernel}.cu")
    assert image.startswith(b"\x7fELF")


def compiler_or_skip() -> Any:
    found = nvrtc()
    try:
        found.nvrtcVersion()
    except RuntimeError as error:
        pytest.skip(f"NVRTC is not installed: {error}")
    return found


def test_source_that_does_not_compile_is_one_sentence() -> None:
    gpu = CudaPython(Cu(NEW_DRIVER), compiler_or_skip)
    with pytest.raises(MachineError, match=r"cannot be compiled: bad\.cu: .*bad\.cu\(1\): error") as caught:
        gpu.compile("not CUDA at all", "bad.cu")
    assert "\n" not in str(caught.value)


def test_a_compiler_that_is_too_old_for_the_gpu_is_told() -> None:
    gpu = CudaPython(Cu(NEW_DRIVER, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=99), compiler_or_skip)
    with pytest.raises(MachineError, match=r"decode\.cu: .*architecture") as caught:
        gpu.compile(kernel_source("decode"), "decode.cu")
    assert "--upgrade nvidia-cuda-nvrtc" in caught.value.fix


def test_no_compiler_is_a_missing_extra() -> None:
    def missing() -> Any:
        raise ImportError("libnvrtc.so.13: cannot open shared object file")

    for driver, extra, package in ((12060, "cuda12", "cuda-nvrtc-12-6"), (13000, "cuda", "cuda-nvrtc-13-0")):
        gpu = CudaPython(Cu(driver), missing)
        with pytest.raises(MachineError, match="NVRTC cannot be loaded") as caught:
            gpu.compile("", "a.cu")
        assert f"pip install 'fcn_edge[{extra}]' " in caught.value.fix
        assert f"apt-get install {package})" in caught.value.fix


@pytest.mark.parametrize(("driver", "compiler", "taken"), [(12060, 13, False), (12060, 12, True), (13000, 12, True)])
def test_a_compiler_newer_than_the_driver_is_refused_before_it_compiles(
    driver: int, compiler: int, taken: bool
) -> None:
    done = SimpleNamespace(name="NVRTC_SUCCESS")
    module = SimpleNamespace(
        nvrtcVersion=lambda: (done, compiler, 5),
        nvrtcCreateProgram=lambda *_: (done, 1),
        nvrtcCompileProgram=lambda *_: (done,),
        nvrtcGetCUBINSize=lambda _: (done, 5),
        nvrtcGetCUBIN=lambda *_: (done,),
        nvrtcDestroyProgram=lambda _: (done,),
    )
    gpu = CudaPython(Cu(driver), lambda: module)
    if taken:
        assert gpu.compile("code", "a.cu") == bytes(5)
        return
    for _ in range(2):
        with pytest.raises(MachineError, match=r"NVRTC 13\.5, and the driver takes code up to CUDA 12\.6") as caught:
            gpu.compile("code", "a.cu")
        assert caught.value.fix == "pip uninstall -y nvidia-cuda-nvrtc && pip install 'fcn_edge[cuda12]'"


@pytest.mark.skipif(DRIVER, reason="with a driver the calls would be made")
def test_the_real_binding_refuses_wrong_arguments() -> None:
    """Without this, the stand-in might let everything pass."""
    for wrong in (lambda cu: cu.cuMemAlloc("8"), lambda cu: cu.cuMemAlloc(8, 8), lambda cu: cu.cuMemFree()):
        with pytest.raises(TypeError):
            wrong(Cu())
