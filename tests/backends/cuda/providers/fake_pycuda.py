"""The parts of pycuda 2026.1 that its provider uses, by their names and signatures, over a fake GPU."""

from __future__ import annotations

import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from fcn_edge.backends.cuda.errors import RefusedCodeError
from fcn_edge.errors import MachineError
from fcn_edge.ops.kernels import Launch
from fcn_edge.testing.gpu import CudaMisuseError, FakeGpu

NVCC = "/usr/local/cuda/bin/nvcc"
"""The compiler that there is."""


class _Raw:
    """What pycuda calls of the driver; a failure becomes the exception that pycuda raises for it."""

    def __init__(self, gpu: FakeGpu, errors: SimpleNamespace) -> None:
        self._gpu = gpu
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            try:
                return getattr(self._gpu, name)(*arguments)
            except RefusedCodeError as error:
                text = "cuModuleLoadDataEx failed: no kernel image is available for execution on the device - "
                raise self._errors.LogicError(text) from error
            except MachineError as error:
                if "no memory left" in error.message:
                    raise self._errors.MemoryError("cuMemAlloc failed: out of memory") from error
                raise self._errors.LogicError(f"cu_{name} failed: unknown error") from error

        return call


def fake_pycuda(gpu: FakeGpu) -> tuple[ModuleType, ModuleType]:
    """``pycuda.driver`` and ``pycuda.compiler`` that reach a fake GPU."""
    driver, compiler = ModuleType("pycuda.driver"), ModuleType("pycuda.compiler")
    error = type("Error", (Exception,), {})
    errors = {name: type(name, (error,), {}) for name in ("MemoryError", "LogicError", "LaunchError", "RuntimeError")}
    raw = _Raw(gpu, SimpleNamespace(**errors))
    stacks = threading.local()

    class Context:
        def push(self) -> None:
            raw.enter()
            stacks.depth = getattr(stacks, "depth", 0) + 1

        @staticmethod
        def pop() -> None:
            if getattr(stacks, "depth", 0) < 1:
                raise CudaMisuseError("cannot pop non-current context")
            stacks.depth -= 1
            raw.leave()

        @staticmethod
        def synchronize() -> None:
            for stream in list(gpu._streams.live):
                raw.stream_synchronize(stream)

    class Device:
        retained = 0

        def __init__(self, number: int) -> None:
            assert initialized, "pycuda.driver.init() was not called"
            assert number == gpu.facts.index

        @staticmethod
        def count() -> int:
            assert initialized, "pycuda.driver.init() was not called"
            return gpu.facts.index + 1

        def name(self) -> str:
            return gpu.facts.name

        def compute_capability(self) -> tuple[int, int]:
            return gpu.facts.capability

        def total_memory(self) -> int:
            return gpu.facts.total_bytes

        def get_attribute(self, attribute: str) -> int:
            return {"integrated": int(gpu.facts.integrated), "processors": gpu.facts.multiprocessors}[attribute]

        def retain_primary_context(self) -> Context:
            Device.retained += 1
            return Context()

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            assert flags == 1, "the stream waits for the default stream"
            self.handle = raw.stream_create()

        def synchronize(self) -> None:
            raw.stream_synchronize(self.handle)

        def wait_for_event(self, event: Any) -> None:
            raw.stream_wait(self.handle, event.handle)

        def __del__(self) -> None:
            if hasattr(self, "handle"):
                raw.stream_destroy(self.handle)

    class Event:
        def __init__(self, flags: int = 0) -> None:
            self.handle = raw.event_create()

        def record(self, stream: Any = None) -> Event:
            raw.event_record(self.handle, stream.handle, False)
            return self

        def synchronize(self) -> Event:
            raw.event_synchronize(self.handle)
            return self

        def time_since(self, event: Event) -> float:
            return float(raw.event_elapsed_ms(event.handle, self.handle))

        def __del__(self) -> None:
            if hasattr(self, "handle"):
                raw.event_destroy(self.handle)

    class DeviceAllocation:
        def __init__(self, nbytes: int) -> None:
            self._pointer = raw.device_alloc(nbytes)

        def __int__(self) -> int:
            return int(self._pointer)

        def free(self) -> None:
            raw.device_free(self._pointer)

    class PagelockedHostAllocation:
        def __init__(self, nbytes: int, flags: int) -> None:
            assert flags & 1, "the memory is page-locked in one context only"
            self._memory = raw.host_alloc(nbytes, bool(flags & 2))
            self.__array_interface__ = self._memory.array.__array_interface__

        def get_device_pointer(self) -> int:
            return int(self._memory.pointer)

        def free(self) -> None:
            raw.host_free(self._memory)

    class Memcpy2D:
        src_pitch = dst_pitch = width_in_bytes = height = 0

        def set_src_device(self, pointer: int) -> None:
            self._source = pointer

        def set_dst_device(self, pointer: int) -> None:
            self._target = pointer

        def __call__(self, stream: Any) -> None:
            pitches = (self._target, self.dst_pitch, self._source, self.src_pitch)
            raw.copy_rows(*pitches, self.width_in_bytes, self.height, stream.handle)

    class Function:
        def __init__(self, module: int, name: str) -> None:
            self._handle = raw.module_function(module, name)

        def __call__(self, *arguments: Any, grid: Any, block: Any, shared: int, stream: Any) -> None:
            raw.launch(self._handle, Launch("", "", grid, block, shared, arguments), stream.handle)

    class Module:
        def __init__(self, image: bytes) -> None:
            self._handle = raw.module_load(image)

        def get_function(self, name: str) -> Function:
            return Function(self._handle, name)

        def __del__(self) -> None:
            if hasattr(self, "_handle"):
                raw.module_unload(self._handle)

    initialized: list[bool] = []

    def pagelocked_empty(shape: int, dtype: Any, order: str = "C", mem_flags: int = 0) -> Any:
        return np.asarray(PagelockedHostAllocation(shape * np.dtype(dtype).itemsize, mem_flags))

    def compile(  # noqa: A001
        source: str,
        nvcc: str = "nvcc",
        options: Any = None,
        keep: bool = False,
        no_extern_c: bool = False,
        arch: str | None = None,
        code: str | None = None,
        cache_dir: Any = None,
        include_dirs: Any = None,
        target: str = "cubin",
    ) -> bytes:
        assert no_extern_c, "pycuda would wrap the source in extern C"
        assert arch == gpu.facts.arch
        assert nvcc == NVCC, "it is looked for on the PATH only"
        return bytes(raw.compile(source, "kernel.cu"))

    compiler.__dict__.update(compile=compile)
    driver.__dict__.update(
        errors,
        Error=error,
        init=lambda flags=0: initialized.append(True),
        get_driver_version=lambda: 1000 * gpu.facts.driver[0] + 10 * gpu.facts.driver[1],
        mem_get_info=lambda: (raw.free_bytes(), gpu.facts.total_bytes),
        Context=Context,
        Device=Device,
        Stream=Stream,
        Event=Event,
        Memcpy2D=Memcpy2D,
        mem_alloc=DeviceAllocation,
        pagelocked_empty=pagelocked_empty,
        memcpy_htod_async=lambda dest, src, stream: raw.upload(dest, src, stream.handle),
        memcpy_dtoh_async=lambda dest, src, stream: raw.download(dest, src, stream.handle),
        memcpy_dtod_async=lambda dest, src, size, stream: raw.copy_rows(dest, size, src, size, size, 1, stream.handle),
        memset_d8_async=lambda dest, data, size, stream: raw.fill(dest, data, size, stream.handle),
        module_from_buffer=Module,
        device_attribute=SimpleNamespace(INTEGRATED="integrated", MULTIPROCESSOR_COUNT="processors"),
        event_flags=SimpleNamespace(BLOCKING_SYNC=1),
        host_alloc_flags=SimpleNamespace(PORTABLE=1, DEVICEMAP=2),
    )
    return driver, compiler
