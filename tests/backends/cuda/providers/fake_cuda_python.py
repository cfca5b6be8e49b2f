"""The parts of cuda-python that its provider uses, by their names and signatures, over a fake GPU."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

from fcn_edge.backends.cuda.errors import RefusedCodeError
from fcn_edge.errors import MachineError
from fcn_edge.ops.kernels import Launch
from fcn_edge.testing.gpu import FakeGpu

_ROOM = 64
"""Arguments that a kernel may have."""


def result(name: str) -> SimpleNamespace:
    """A result code."""
    return SimpleNamespace(name=name)


class _Copy:
    """``CUDA_MEMCPY2D``."""


class FakeDriver:
    """``cuda.bindings.driver``: each function gives a result code first, and raises nothing."""

    CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTALLOC_DEVICEMAP = 1, 2
    CUDA_MEMCPY2D, CUdeviceptr = _Copy, int
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUevent_flags = SimpleNamespace(CU_EVENT_BLOCKING_SYNC=1)
    CUevent_record_flags = SimpleNamespace(CU_EVENT_RECORD_EXTERNAL=1)
    CUmemorytype = SimpleNamespace(CU_MEMORYTYPE_UNIFIED=4)
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)

    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu
        self._hosts: dict[int, Any] = {}
        self._retained = 0
        facts = gpu.facts
        self._attributes = {
            "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR": facts.capability[0],
            "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR": facts.capability[1],
            "CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT": facts.multiprocessors,
            "CU_DEVICE_ATTRIBUTE_INTEGRATED": int(facts.integrated),
        }
        self.CUdevice_attribute = SimpleNamespace(**{name: name for name in self._attributes})

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)
        made = getattr(type(self), f"_{name}", None)
        if made is None:
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            try:
                given = made(self, *arguments)
            except RefusedCodeError:
                return result("CUDA_ERROR_NO_BINARY_FOR_GPU"), None
            except MachineError as error:
                full = "no memory left" in error.message
                return result("CUDA_ERROR_OUT_OF_MEMORY" if full else "CUDA_ERROR_UNKNOWN"), None
            values = () if given is None else given if isinstance(given, tuple) else (given,)
            return result("CUDA_SUCCESS"), *values

        return call

    def _cuInit(self, flags: int) -> None:
        assert flags == 0

    def _cuDeviceGetCount(self) -> int:
        return self._gpu.facts.index + 1

    def _cuDeviceGet(self, number: int) -> int:
        assert number == self._gpu.facts.index
        return number

    def _cuDeviceGetAttribute(self, attribute: str, device: int) -> int:
        return self._attributes[attribute]

    def _cuDriverGetVersion(self) -> int:
        major, minor = self._gpu.facts.driver
        return 1000 * major + 10 * minor

    def _cuDeviceGetName(self, room: int, device: int) -> bytes:
        return self._gpu.facts.name.encode().ljust(room, b"\0")

    def _cuDeviceTotalMem(self, device: int) -> int:
        return self._gpu.facts.total_bytes

    def _cuDevicePrimaryCtxRetain(self, device: int) -> int:
        self._retained += 1
        return 0xC0

    def _cuDevicePrimaryCtxRelease(self, device: int) -> None:
        self._retained -= 1
        assert self._retained == 0
        self._gpu.close()

    def _cuCtxPushCurrent(self, context: int) -> None:
        assert context == 0xC0
        self._gpu.enter()

    def _cuCtxPopCurrent(self) -> int:
        self._gpu.leave()
        return 0xC0

    def _cuMemGetInfo(self) -> tuple[int, int]:
        return self._gpu.free_bytes(), self._gpu.facts.total_bytes

    def _cuStreamCreate(self, flags: int) -> int:
        assert flags == 1, "the stream waits for the default stream"
        return self._gpu.stream_create()

    def _cuStreamSynchronize(self, stream: int) -> None:
        self._gpu.stream_synchronize(stream)

    def _cuStreamWaitEvent(self, stream: int, event: int, flags: int) -> None:
        assert flags == 0
        self._gpu.stream_wait(stream, event)

    def _cuStreamDestroy(self, stream: int) -> None:
        self._gpu.stream_destroy(stream)

    def _cuEventCreate(self, flags: int) -> int:
        assert flags == 1, "who waits for it spins, or it keeps no time"
        return self._gpu.event_create()

    def _cuEventRecord(self, event: int, stream: int) -> None:
        self._gpu.event_record(event, stream, False)

    def _cuEventRecordWithFlags(self, event: int, stream: int, flags: int) -> None:
        assert flags == 1
        self._gpu.event_record(event, stream, True)

    def _cuEventSynchronize(self, event: int) -> None:
        self._gpu.event_synchronize(event)

    def _cuEventElapsedTime(self, first: int, second: int) -> float:
        return self._gpu.event_elapsed_ms(first, second)

    def _cuEventDestroy(self, event: int) -> None:
        self._gpu.event_destroy(event)

    def _cuMemAlloc(self, nbytes: int) -> int:
        return self._gpu.device_alloc(nbytes)

    def _cuMemFree(self, pointer: int) -> None:
        self._gpu.device_free(pointer)

    def _cuMemHostAlloc(self, nbytes: int, flags: int) -> int:
        assert flags & 1, "the memory is page-locked in one context only"
        made = self._gpu.host_alloc(nbytes, bool(flags & 2))
        self._hosts[made.address] = made
        return made.address

    def _cuMemHostGetDevicePointer(self, address: int, flags: int) -> int:
        return int(self._hosts[address].pointer)

    def _cuMemFreeHost(self, address: int) -> None:
        self._gpu.host_free(self._hosts.pop(address))

    def _cuMemcpyHtoDAsync(self, pointer: int, address: int, nbytes: int, stream: int) -> None:
        self._gpu.upload(pointer, _array(address, nbytes), stream)

    def _cuMemcpyDtoHAsync(self, address: int, pointer: int, nbytes: int, stream: int) -> None:
        self._gpu.download(_array(address, nbytes), pointer, stream)

    def _cuMemcpyAsync(self, target: int, source: int, nbytes: int, stream: int) -> None:
        self._gpu.copy_rows(target, nbytes, source, nbytes, nbytes, 1, stream)

    def _cuMemcpy2DAsync(self, copy: Any, stream: int) -> None:
        assert copy.srcMemoryType == copy.dstMemoryType == 4
        pitches = copy.dstDevice, copy.dstPitch, copy.srcDevice, copy.srcPitch
        self._gpu.copy_rows(*pitches, copy.WidthInBytes, copy.Height, stream)

    def _cuMemsetD8Async(self, pointer: int, value: int, nbytes: int, stream: int) -> None:
        self._gpu.fill(pointer, value, nbytes, stream)

    def _cuModuleLoadData(self, image: bytes) -> int:
        return self._gpu.module_load(image)

    def _cuModuleGetFunction(self, module: int, entry: bytes) -> int:
        return self._gpu.module_function(module, entry.decode())

    def _cuModuleUnload(self, module: int) -> None:
        self._gpu.module_unload(module)

    def _cuLaunchKernel(self, function: int, *rest: Any) -> None:
        grid, block, (shared, stream, arguments, extra) = rest[:3], rest[3:6], rest[6:]
        assert extra == 0
        types = [each.kind for each in self._gpu.modules.parameters(function)]
        addresses = (ctypes.c_uint64 * _ROOM).from_address(arguments)
        values = tuple(
            np.frombuffer(ctypes.string_at(addresses[index], np.dtype(kind).itemsize), kind)[0]
            for index, kind in enumerate(types)
        )
        self._gpu.launch(function, Launch("", "", grid, block, shared, values), stream)

    def _cuStreamBeginCapture(self, stream: int, mode: int) -> None:
        assert mode == 1
        self._gpu.capture_begin(stream)

    def _cuStreamEndCapture(self, stream: int) -> int:
        return self._gpu.capture_end(stream)

    def _cuGraphInstantiate(self, graph: int, flags: int) -> int:
        assert flags == 0
        return graph

    def _cuGraphDestroy(self, graph: int) -> None:
        """What was instantiated lives on."""

    def _cuGraphLaunch(self, graph: int, stream: int) -> None:
        self._gpu.graph_launch(graph, stream)

    def _cuGraphExecDestroy(self, graph: int) -> None:
        self._gpu.graph_destroy(graph)


class FakeNvrtc:
    """``cuda.bindings.nvrtc`` of CUDA 12.0; what it compiles is the source itself."""

    def __init__(self, gpu: FakeGpu) -> None:
        self._gpu = gpu
        self._programs: dict[int, tuple[str, str]] = {}
        self._compiled: dict[int, bytes] = {}

    def nvrtcVersion(self) -> tuple[Any, int, int]:
        return result("NVRTC_SUCCESS"), 12, 0

    def nvrtcCreateProgram(self, source: bytes, name: bytes, *headers: Any) -> tuple[Any, int]:
        assert headers == (0, [], [])
        self._programs[1] = source.decode(), name.decode()
        return result("NVRTC_SUCCESS"), 1

    def nvrtcCompileProgram(self, program: int, count: int, options: list[bytes]) -> tuple[Any]:
        assert f"--gpu-architecture={self._gpu.facts.arch}".encode() in options
        assert count == len(options)
        try:
            self._compiled[program] = self._gpu.compile(*self._programs[program])
        except MachineError:
            return (result("NVRTC_ERROR_COMPILATION"),)
        return (result("NVRTC_SUCCESS"),)

    def nvrtcGetProgramLogSize(self, program: int) -> tuple[Any, int]:
        return result("NVRTC_SUCCESS"), 0

    def nvrtcGetProgramLog(self, program: int, log: bytes) -> tuple[Any]:
        return (result("NVRTC_SUCCESS"),)

    def nvrtcGetCUBINSize(self, program: int) -> tuple[Any, int]:
        return result("NVRTC_SUCCESS"), len(self._compiled[program])

    def nvrtcGetCUBIN(self, program: int, image: bytes) -> tuple[Any]:
        # the real one writes into the bytes that it is given, too
        room = (ctypes.c_char * len(image)).from_address(id(image) + bytes.__basicsize__ - 1)
        room[:] = self._compiled[program]
        return (result("NVRTC_SUCCESS"),)

    def nvrtcDestroyProgram(self, program: int) -> tuple[Any]:
        del self._programs[program]
        return (result("NVRTC_SUCCESS"),)


def _array(address: int, nbytes: int) -> Any:
    return np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address))
