"""The GPU through pycuda, kernels compiled by nvcc: for boards where it was built years ago and still is.

pycuda has no CUDA graphs, so its sessions enqueue each step of each frame.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.driver import Driver, GpuFacts, HostMemory
from fcn_edge.backends.cuda.errors import cuda_error, no_driver, no_such_gpu, uncompiled
from fcn_edge.errors import MachineError
from fcn_edge.ops.kernels import Launch

__all__ = ["PyCuda", "open_gpu"]

_NVCC = Path("/usr/local/cuda/bin/nvcc")
"""Where JetPack and NVIDIA's packages put the compiler, which is not on the PATH."""

_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING, which pycuda has no name for."""

_CODES = {
    "out of memory": "CUDA_ERROR_OUT_OF_MEMORY",
    "no CUDA-capable device is detected": "CUDA_ERROR_NO_DEVICE",
    "operation not supported": "CUDA_ERROR_NOT_SUPPORTED",
    "an illegal memory access was encountered": "CUDA_ERROR_ILLEGAL_ADDRESS",
    "the launch timed out and was terminated": "CUDA_ERROR_LAUNCH_TIMEOUT",
    "device kernel image is invalid": "CUDA_ERROR_INVALID_IMAGE",
    "the provided PTX was compiled with an unsupported toolchain": "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    "no kernel image is available for execution on the device": "CUDA_ERROR_NO_BINARY_FOR_GPU",
}
"""Results by the driver's texts for them: pycuda's exceptions carry no code."""


def open_gpu(index: int) -> PyCuda | None:
    """A GPU; None when pycuda is not installed.

    Args:
        index: Which one, from 0.

    Raises:
        DeviceError: There is no driver or no such GPU.
        MachineError: pycuda cannot be loaded.
    """
    try:
        import pycuda.driver
    except ModuleNotFoundError as error:
        if error.name != "pycuda":
            raise
        return None
    except ImportError as error:
        if "libcuda" in str(error):
            raise no_driver() from error
        raise MachineError(
            f"pycuda is installed and cannot be loaded: {str(error).rstrip('.')}.",
            "Build it against this machine's CUDA: pip install --force-reinstall --no-binary :all: pycuda; or remove "
            "it and install cuda-python: pip install 'fcn_edge[cuda]', or with a driver for CUDA 12 'fcn_edge[cuda12]'",
        ) from error
    return PyCuda(pycuda.driver, _compiler, index)


def _compiler() -> tuple[ModuleType, str]:
    """The module of pycuda that compiles, and the compiler that it is to run.

    Raises:
        MachineError: There is no compiler.
    """
    nvcc = shutil.which("nvcc") or (str(_NVCC) if _NVCC.is_file() else None)
    if nvcc is None:
        raise MachineError(
            f"pycuda is installed, and there is no nvcc to compile its kernels, neither on the PATH nor as {_NVCC}.",
            "Install cuda-python, which needs none: pip install 'fcn_edge[cuda]', or with a driver for CUDA 12 "
            "'fcn_edge[cuda12]'; or a CUDA toolkit: sudo apt-get install cuda-toolkit",
        )
    import pycuda.compiler

    return pycuda.compiler, nvcc


class PyCuda(Driver):
    """A GPU through pycuda.

    pycuda keeps a stack of contexts per thread, and its objects can be made, used and freed in any thread in which
    their context is on top. ``enter`` pushes the retained primary context onto the calling thread's stack and
    ``leave`` pops it; nothing is left on a stack between calls, for which pycuda would abort the process when the
    thread ends. The context itself stays with the process: pycuda gives it back in the retaining thread only, and
    leaves it current there.

    Args:
        driver: The module ``pycuda.driver``.
        compiler: Gives the module ``pycuda.compiler`` and the path of nvcc; asked only when something must be compiled.
        index: Which GPU, from 0.

    Raises:
        DeviceError: There is no driver or no such GPU.
    """

    has_graphs = False

    def __init__(self, driver: ModuleType, compiler: Callable[[], tuple[Any, str]], index: int = 0) -> None:
        self._cuda: Any = driver
        self._find_compiler = compiler
        self._context: Any = None
        self._numbers = itertools.count(1)
        self._streams: dict[int, Any] = {}
        self._events: dict[int, Any] = {}
        self._buffers: dict[int, Any] = {}
        self._modules: dict[int, Any] = {}
        self._functions: dict[int, Any] = {}
        with self._errors("cuInit"):
            driver.init()
            count = int(self._cuda.Device.count())
            if index >= count:
                raise no_such_gpu(index, count)
            self._device = self._cuda.Device(index)
            self.facts = self._read_facts(index)

    @override
    def enter(self) -> None:
        with self._errors("cuCtxPushCurrent"):
            if self._context is None:
                self._context = _primary_context(self._device)
            self._context.push()

    @override
    def leave(self) -> None:
        with self._errors("cuCtxPopCurrent"):
            self._cuda.Context.pop()

    @override
    def close(self) -> None:
        self._context = None

    @override
    def free_bytes(self) -> int:
        with self._errors("cuMemGetInfo"):
            return int(self._cuda.mem_get_info()[0])

    @override
    def stream_create(self) -> int:
        with self._errors("cuStreamCreate"):
            stream = self._cuda.Stream(_NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    @override
    def stream_synchronize(self, stream: int) -> None:
        with self._errors("cuStreamSynchronize"):
            self._streams[stream].synchronize()

    @override
    def stream_join(self, stream: int, other: int) -> None:
        # pycuda takes no stream of another library, so all of them are waited for
        with self._errors("cuCtxSynchronize"):
            self._cuda.Context.synchronize()

    @override
    def stream_wait(self, stream: int, event: int) -> None:
        with self._errors("cuStreamWaitEvent"):
            self._streams[stream].wait_for_event(self._events[event])

    @override
    def stream_destroy(self, stream: int) -> None:
        del self._streams[stream]

    @override
    def event_create(self) -> int:
        with self._errors("cuEventCreate"):
            # who waits sleeps: a spinning thread would take a core from capture and output
            return self._numbered(self._events, self._cuda.Event(self._cuda.event_flags.BLOCKING_SYNC))

    @override
    def event_record(self, event: int, stream: int, in_graph: bool) -> None:
        with self._errors("cuEventRecord"):
            self._events[event].record(self._streams[stream])

    @override
    def event_synchronize(self, event: int) -> None:
        with self._errors("cuEventSynchronize"):
            self._events[event].synchronize()

    @override
    def event_elapsed_ms(self, first: int, second: int) -> float:
        with self._errors("cuEventElapsedTime"):
            return float(self._events[second].time_since(self._events[first]))

    @override
    def event_destroy(self, event: int) -> None:
        del self._events[event]

    @override
    def device_alloc(self, nbytes: int) -> int:
        with self._errors("cuMemAlloc"):
            allocation = self._cuda.mem_alloc(nbytes)
        self._buffers[int(allocation)] = allocation
        return int(allocation)

    @override
    def device_free(self, pointer: int) -> None:
        with self._errors("cuMemFree"):
            self._buffers.pop(pointer).free()

    @override
    def host_alloc(self, nbytes: int, mapped: bool) -> HostMemory:
        flags = self._cuda.host_alloc_flags
        wanted = flags.PORTABLE | (flags.DEVICEMAP if mapped else 0)
        with self._errors("cuMemHostAlloc"):
            array = self._cuda.pagelocked_empty(nbytes, np.uint8, mem_flags=wanted)
            pointer = int(array.base.get_device_pointer()) if mapped else 0
        return HostMemory(array.ctypes.data, pointer, array)

    @override
    def host_free(self, memory: HostMemory) -> None:
        with self._errors("cuMemFreeHost"):
            memory.array.base.free()  # type: ignore[union-attr]

    @override
    def upload(self, pointer: int, source: NDArray[np.uint8], stream: int) -> None:
        with self._errors("cuMemcpyHtoDAsync"):
            self._cuda.memcpy_htod_async(pointer, source, self._streams[stream])

    @override
    def download(self, target: NDArray[np.uint8], pointer: int, stream: int) -> None:
        with self._errors("cuMemcpyDtoHAsync"):
            self._cuda.memcpy_dtoh_async(target, pointer, self._streams[stream])

    @override
    def copy_rows(
        self, target: int, target_pitch: int, source: int, source_pitch: int, width: int, rows: int, stream: int
    ) -> None:
        with self._errors("cuMemcpy2DAsync"):
            if rows == 1:
                self._cuda.memcpy_dtod_async(target, source, width, self._streams[stream])
                return
            copy = self._cuda.Memcpy2D()
            copy.set_src_device(source)
            copy.set_dst_device(target)
            copy.src_pitch, copy.dst_pitch = source_pitch, target_pitch
            copy.width_in_bytes, copy.height = width, rows
            copy(self._streams[stream])

    @override
    def fill(self, pointer: int, value: int, nbytes: int, stream: int) -> None:
        with self._errors("cuMemsetD8Async"):
            self._cuda.memset_d8_async(pointer, value, nbytes, self._streams[stream])

    @override
    def compile(self, source: str, name: str) -> bytes:
        compiler, nvcc = self._find_compiler()
        with self._compiling(name, nvcc):
            image: bytes = compiler.compile(
                source,
                nvcc=nvcc,
                options=["--std=c++17"],
                no_extern_c=True,
                arch=self.facts.arch,
                cache_dir=False,
            )
            return image

    @override
    def module_load(self, image: bytes) -> int:
        with self._errors("cuModuleLoadData"):
            return self._numbered(self._modules, self._cuda.module_from_buffer(image))

    @override
    def module_function(self, module: int, entry: str) -> int:
        with self._errors("cuModuleGetFunction"):
            return self._numbered(self._functions, self._modules[module].get_function(entry))

    @override
    def module_unload(self, module: int) -> None:
        # a function keeps its module
        self._functions.clear()
        del self._modules[module]

    @override
    def launch(self, function: int, launch: Launch, stream: int) -> None:
        with self._errors("cuLaunchKernel"):
            self._functions[function](
                *launch.arguments,
                grid=launch.grid,
                block=launch.block,
                shared=launch.shared_bytes,
                stream=self._streams[stream],
            )

    @override
    def capture_begin(self, stream: int) -> None:
        raise cuda_error("capture_begin", "pycuda has no CUDA graphs")

    @override
    def capture_end(self, stream: int) -> int:
        raise cuda_error("capture_end", "pycuda has no CUDA graphs")

    @override
    def graph_launch(self, graph: int, stream: int) -> None:
        raise cuda_error("graph_launch", "pycuda has no CUDA graphs")

    @override
    def graph_destroy(self, graph: int) -> None:
        raise cuda_error("graph_destroy", "pycuda has no CUDA graphs")

    def _read_facts(self, index: int) -> GpuFacts:
        version = int(self._cuda.get_driver_version())
        kinds = self._cuda.device_attribute
        return GpuFacts(
            name=str(self._device.name()),
            capability=tuple(self._device.compute_capability()),
            multiprocessors=int(self._device.get_attribute(kinds.MULTIPROCESSOR_COUNT)),
            integrated=bool(self._device.get_attribute(kinds.INTEGRATED)),
            total_bytes=int(self._device.total_memory()),
            driver=(version // 1000, version % 1000 // 10),
            library=f"pycuda {metadata.version('pycuda')}",
            index=index,
        )

    def _numbered(self, table: dict[int, Any], made: Any) -> int:
        number = next(self._numbers)
        table[number] = made
        return number

    @contextmanager
    def _errors(self, call: str) -> Iterator[None]:
        try:
            yield
        except self._cuda.Error as error:
            text = str(error).partition(" failed: ")[2] or str(error)
            code = next((code for known, code in _CODES.items() if text.startswith(known)), text)
            raise cuda_error(call, code) from error

    @contextmanager
    def _compiling(self, name: str, nvcc: str) -> Iterator[None]:
        try:
            yield
        except (self._cuda.Error, OSError, RuntimeError) as error:
            log = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise uncompiled(
                f"{name}: {log[0] if log else type(error).__name__}",
                f"pycuda compiles with {nvcc}, which must know the GPU: put a newer one first on the PATH, or "
                "pip uninstall -y pycuda and take cuda-python; fcn-edge doctor gives the command",
            ) from error


@cache
def _primary_context(device: Any) -> Any:
    return device.retain_primary_context()
