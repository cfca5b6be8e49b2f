"""The GPU through NVIDIA's cuda-python, kernels compiled by NVRTC. No compiler of the system is needed."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property, partial
from importlib import import_module, metadata
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.driver import Driver, GpuFacts, HostMemory
from fcn_edge.backends.cuda.errors import cuda_error, no_driver, no_such_gpu, too_old, uncompiled
from fcn_edge.errors import MachineError
from fcn_edge.ops.kernels import Launch
from fcn_edge.system.cuda_wheels import nvrtc_package, wheels

__all__ = ["CudaPython", "open_gpu"]

_LAYOUTS = (("cuda.bindings.driver", "cuda.bindings.nvrtc"), ("cuda.cuda", "cuda.nvrtc"))
"""Where the driver's functions and NVRTC's are: since 12.6, and before."""


def open_gpu(index: int) -> CudaPython | None:
    """A GPU; None when cuda-python is not installed.

    Args:
        index: Which one, from 0.

    Raises:
        DeviceError: There is no driver or no such GPU.
        MachineError: cuda-python cannot be loaded.
    """
    for driver, nvrtc in _LAYOUTS:
        found = _imported(driver)
        if found is not None:
            return CudaPython(found, partial(import_module, nvrtc), index)
    return None


def _imported(module: str) -> ModuleType | None:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        return None
    except ImportError as error:
        raise MachineError(
            f"cuda-python is installed and cannot be loaded: {str(error).rstrip('.')}.",
            "Install it again with: pip install --force-reinstall cuda-python",
        ) from error


class CudaPython(Driver):
    """A GPU through cuda-python's driver functions, which return a result code first and take integers as handles.

    The primary context is retained at the first ``enter`` and released by ``close``; ``enter`` pushes it on the
    calling thread's stack of contexts.

    Args:
        driver: The module of the driver's functions.
        nvrtc: Gives the module of NVRTC's functions; asked only when something must be compiled.
        index: Which GPU, from 0.

    Raises:
        DeviceError: There is no driver or no such GPU.
    """

    has_graphs = True

    def __init__(self, driver: Any, nvrtc: Callable[[], Any], index: int = 0) -> None:
        self._cu = driver
        self._load_nvrtc = nvrtc
        self._context: Any = None
        self._retaining = threading.Lock()
        try:
            self._call("cuInit", 0)
        except (RuntimeError, OSError) as error:
            raise no_driver() from error
        count = int(self._call("cuDeviceGetCount"))
        if index >= count:
            raise no_such_gpu(index, count)
        self._device = self._call("cuDeviceGet", index)
        self.facts = self._read_facts(index)

    @override
    def enter(self) -> None:
        with self._retaining:  # each retain would need a release
            if self._context is None:
                self._context = self._call("cuDevicePrimaryCtxRetain", self._device)
        self._call("cuCtxPushCurrent", self._context)

    @override
    def leave(self) -> None:
        self._call("cuCtxPopCurrent")

    @override
    def close(self) -> None:
        with self._retaining:
            if self._context is not None:
                self._context = None
                self._call("cuDevicePrimaryCtxRelease", self._device)

    @override
    def free_bytes(self) -> int:
        return int(self._call("cuMemGetInfo")[0])

    @override
    def stream_create(self) -> int:
        return int(self._call("cuStreamCreate", int(self._cu.CUstream_flags.CU_STREAM_NON_BLOCKING)))

    @override
    def stream_synchronize(self, stream: int) -> None:
        self._call("cuStreamSynchronize", stream)

    @override
    def stream_join(self, stream: int, other: int) -> None:
        event = self.event_create()
        try:
            self._call("cuEventRecord", event, other)
            self._call("cuStreamWaitEvent", stream, event, 0)
        finally:
            self.event_destroy(event)

    @override
    def stream_wait(self, stream: int, event: int) -> None:
        self._call("cuStreamWaitEvent", stream, event, 0)

    @override
    def stream_destroy(self, stream: int) -> None:
        self._call("cuStreamDestroy", stream)

    @override
    def event_create(self) -> int:
        # who waits sleeps: a spinning thread would take a core from capture and output
        return int(self._call("cuEventCreate", int(self._cu.CUevent_flags.CU_EVENT_BLOCKING_SYNC)))

    @override
    def event_record(self, event: int, stream: int, in_graph: bool) -> None:
        if in_graph:
            external = int(self._cu.CUevent_record_flags.CU_EVENT_RECORD_EXTERNAL)
            self._call("cuEventRecordWithFlags", event, stream, external)
        else:
            self._call("cuEventRecord", event, stream)

    @override
    def event_synchronize(self, event: int) -> None:
        self._call("cuEventSynchronize", event)

    @override
    def event_elapsed_ms(self, first: int, second: int) -> float:
        return float(self._call("cuEventElapsedTime", first, second))

    @override
    def event_destroy(self, event: int) -> None:
        self._call("cuEventDestroy", event)

    @override
    def device_alloc(self, nbytes: int) -> int:
        return int(self._call("cuMemAlloc", nbytes))

    @override
    def device_free(self, pointer: int) -> None:
        self._call("cuMemFree", pointer)

    @override
    def host_alloc(self, nbytes: int, mapped: bool) -> HostMemory:
        cu = self._cu
        flags = cu.CU_MEMHOSTALLOC_PORTABLE | (cu.CU_MEMHOSTALLOC_DEVICEMAP if mapped else 0)
        address = int(self._call("cuMemHostAlloc", nbytes, flags))
        array = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address))
        try:
            pointer = int(self._call("cuMemHostGetDevicePointer", address, 0)) if mapped else 0
        except MachineError:
            self._call("cuMemFreeHost", address)
            raise
        return HostMemory(address, pointer, array)

    @override
    def host_free(self, memory: HostMemory) -> None:
        self._call("cuMemFreeHost", memory.address)

    @override
    def upload(self, pointer: int, source: NDArray[np.uint8], stream: int) -> None:
        self._call("cuMemcpyHtoDAsync", pointer, source.ctypes.data, source.nbytes, stream)

    @override
    def download(self, target: NDArray[np.uint8], pointer: int, stream: int) -> None:
        self._call("cuMemcpyDtoHAsync", target.ctypes.data, pointer, target.nbytes, stream)

    @override
    def copy_rows(
        self, target: int, target_pitch: int, source: int, source_pitch: int, width: int, rows: int, stream: int
    ) -> None:
        if rows == 1:
            self._call("cuMemcpyAsync", target, source, width, stream)
            return
        copy = self._cu.CUDA_MEMCPY2D()
        unified = self._cu.CUmemorytype.CU_MEMORYTYPE_UNIFIED
        copy.srcMemoryType, copy.srcDevice, copy.srcPitch = unified, self._cu.CUdeviceptr(source), source_pitch
        copy.dstMemoryType, copy.dstDevice, copy.dstPitch = unified, self._cu.CUdeviceptr(target), target_pitch
        copy.WidthInBytes, copy.Height = width, rows
        self._call("cuMemcpy2DAsync", copy, stream)

    @override
    def fill(self, pointer: int, value: int, nbytes: int, stream: int) -> None:
        self._call("cuMemsetD8Async", pointer, value, nbytes, stream)

    @override
    def compile(self, source: str, name: str) -> bytes:
        nvrtc = self._nvrtc
        status, program = nvrtc.nvrtcCreateProgram(source.encode(), name.encode(), 0, [], [])
        self._compiled(status, "nvrtcCreateProgram")
        try:
            options = [f"--gpu-architecture={self.facts.arch}".encode(), b"--std=c++17"]
            (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
            self._compiled(status, name, lambda: self._text(nvrtc, program))
            status, size = nvrtc.nvrtcGetCUBINSize(program)
            self._compiled(status, "nvrtcGetCUBINSize")
            image = bytes(size)
            (status,) = nvrtc.nvrtcGetCUBIN(program, image)
            self._compiled(status, "nvrtcGetCUBIN")
            return image
        finally:
            nvrtc.nvrtcDestroyProgram(program)

    @override
    def module_load(self, image: bytes) -> int:
        return int(self._call("cuModuleLoadData", image))

    @override
    def module_function(self, module: int, entry: str) -> int:
        return int(self._call("cuModuleGetFunction", module, entry.encode()))

    @override
    def module_unload(self, module: int) -> None:
        self._call("cuModuleUnload", module)

    @override
    def launch(self, function: int, launch: Launch, stream: int) -> None:
        shape = (*launch.grid, *launch.block, launch.shared_bytes)
        self._call("cuLaunchKernel", function, *shape, stream, launch.packed.pointer, 0)

    @override
    def capture_begin(self, stream: int) -> None:
        # another thread may allocate for the next frame meanwhile
        mode = self._cu.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", stream, mode)

    @override
    def capture_end(self, stream: int) -> int:
        graph = self._call("cuStreamEndCapture", stream)
        with ExitStack() as made:
            try:
                # CUDA 11's function without flags took other arguments
                flagged = hasattr(self._cu, "cuGraphInstantiateWithFlags")
                name = "cuGraphInstantiateWithFlags" if flagged else "cuGraphInstantiate"
                executable = int(self._call(name, graph, 0))
                made.callback(self.graph_destroy, executable)
            finally:
                self._call("cuGraphDestroy", graph)
            made.pop_all()
        return executable

    @override
    def graph_launch(self, graph: int, stream: int) -> None:
        self._call("cuGraphLaunch", graph, stream)

    @override
    def graph_destroy(self, graph: int) -> None:
        self._call("cuGraphExecDestroy", graph)

    def _read_facts(self, index: int) -> GpuFacts:
        kinds = self._cu.CUdevice_attribute

        def attribute(name: str) -> int:
            return int(self._call("cuDeviceGetAttribute", getattr(kinds, f"CU_DEVICE_ATTRIBUTE_{name}"), self._device))

        version = int(self._call("cuDriverGetVersion"))
        return GpuFacts(
            name=self._call("cuDeviceGetName", 256, self._device).decode(errors="replace").strip("\0 "),
            capability=(attribute("COMPUTE_CAPABILITY_MAJOR"), attribute("COMPUTE_CAPABILITY_MINOR")),
            multiprocessors=attribute("MULTIPROCESSOR_COUNT"),
            integrated=bool(attribute("INTEGRATED")),
            total_bytes=int(self._call("cuDeviceTotalMem", self._device)),
            driver=(version // 1000, version % 1000 // 10),
            library=f"cuda-python {_version()}",
            index=index,
        )

    def _call(self, name: str, *arguments: Any) -> Any:
        """What a function gives, without its result code: nothing, one value, or several."""
        try:
            status, *values = getattr(self._cu, name)(*arguments)
        except RuntimeError as error:
            if name == "cuInit":  # the driver's library is looked up at the first call
                raise
            raise too_old(name, self.facts.driver if hasattr(self, "facts") else None) from error
        if status.name != "CUDA_SUCCESS":
            raise cuda_error(name, status.name)
        return values[0] if len(values) == 1 else values

    @cached_property
    def _nvrtc(self) -> Any:
        supported = self.facts.driver
        package = f"cuda-nvrtc-{supported[0]}-{supported[1]}"
        try:
            nvrtc = self._load_nvrtc()
            _, major, minor = nvrtc.nvrtcVersion()
        except (ImportError, RuntimeError, OSError) as error:
            raise uncompiled(
                "the compiler NVRTC cannot be loaded",
                f"Install it with: {wheels(supported[0])} (on Jetson also: sudo apt-get install {package}); or, where "
                "pycuda and nvcc are installed, set FCN_EDGE_CUDA=pycuda",
            ) from error
        if major > supported[0]:
            raise uncompiled(
                f"the compiler is NVRTC {major}.{minor}, and the driver takes code up to CUDA "
                f"{supported[0]}.{supported[1]}",
                f"pip uninstall -y nvidia-cuda-nvrtc && {wheels(supported[0])}",
            )
        return nvrtc

    def _compiled(self, status: Any, what: str, log: Callable[[], str] = lambda: "") -> None:
        if status.name == "NVRTC_SUCCESS":
            return
        reason = log().strip().splitlines()
        raise uncompiled(
            f"{what}: {reason[0] if reason else status.name}",
            f"NVRTC must know the GPU: pip install --upgrade {nvrtc_package(self.facts.driver[0])}",
        )

    def _text(self, nvrtc: Any, program: Any) -> str:
        status, size = nvrtc.nvrtcGetProgramLogSize(program)
        self._compiled(status, "nvrtcGetProgramLogSize")
        text = bytes(size)
        nvrtc.nvrtcGetProgramLog(program, text)
        return text.decode(errors="replace").strip("\0")


def _version() -> str:
    try:
        return metadata.version("cuda-bindings")
    except metadata.PackageNotFoundError:
        return metadata.version("cuda-python")
