"""What NVIDIA's driver library says of itself and its GPUs, asked without any package."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Driver", "Gpu", "loaded_driver", "pci_address"]

LIBRARY = "libcuda.so.1"
MULTIPROCESSORS, CAPABILITY_MAJOR, CAPABILITY_MINOR = 16, 75, 76
"""CUdevice_attribute values: how many multiprocessors are switched on, and the compute capability."""

NOT_SUPPORTED = 801
"""CUresult of ``CUDA_ERROR_NOT_SUPPORTED``."""


class Gpu(NamedTuple):
    """A GPU as its driver describes it.

    Attributes:
        name: What it calls itself, such as ``Orin``.
        capability: Compute capability, such as ``8.7``.
        multiprocessors: How many are switched on, which the power mode of a board decides.
    """

    name: str
    capability: str
    multiprocessors: int


@dataclass(frozen=True)
class Driver:
    """The driver.

    Attributes:
        cuda: Newest CUDA version that it serves, such as ``12.6``; empty when it does not tell.
        gpus: Its GPUs, in CUDA's order.
        problem: Why it cannot be used; empty when it can.
        forbidden: That is because this user is not in the groups which may use the GPU.
    """

    cuda: str = ""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""
    forbidden: bool = False

    @property
    def major(self) -> int | None:
        """Major version of the newest CUDA that it serves; None when it does not tell."""
        return int(self.cuda.partition(".")[0]) if self.cuda else None


def loaded_driver(load: Callable[[str], Any] = ctypes.CDLL) -> Driver:
    """Load the driver library and ask it.

    Args:
        load: Loads a shared library by name; raises OSError where it cannot.
    """
    try:
        library = load(LIBRARY)
    except OSError:
        return Driver(problem=f"{LIBRARY} cannot be loaded")
    version = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}" if version.value else ""
    code = library.cuInit(0)
    if code:
        # of a board, whose driver says so to users who may not open all of its device files
        if code == NOT_SUPPORTED:
            return Driver(cuda, problem="the user may not use the GPU: groups video and render", forbidden=True)
        return Driver(cuda, problem=f"{LIBRARY} does not start: {_error_name(library, code)}")
    count = ctypes.c_int()
    library.cuDeviceGetCount(ctypes.byref(count))
    return Driver(cuda, tuple(_gpu(library, index) for index in range(count.value)))


def pci_address(index: int, load: Callable[[str], Any] = ctypes.CDLL) -> str:
    """PCI address of a CUDA device, such as ``0000:01:00.0``; empty where the driver does not tell.

    Args:
        index: CUDA's number of the device: ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER`` count, because it is
            CUDA that is asked.
        load: Loads a shared library by name; raises OSError where it cannot.
    """
    try:
        library = load(LIBRARY)
    except OSError:
        return ""
    device, address = ctypes.c_int(), ctypes.create_string_buffer(32)
    failed = (
        library.cuInit(0)
        or library.cuDeviceGet(ctypes.byref(device), index)
        or library.cuDeviceGetPCIBusId(address, len(address), device)
    )
    return "" if failed else address.value.decode(errors="replace")


def _gpu(library: Any, index: int) -> Gpu:
    device, major, minor, count = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(128)
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceGetAttribute(ctypes.byref(major), CAPABILITY_MAJOR, device)
    library.cuDeviceGetAttribute(ctypes.byref(minor), CAPABILITY_MINOR, device)
    library.cuDeviceGetAttribute(ctypes.byref(count), MULTIPROCESSORS, device)
    return Gpu(name.value.decode(errors="replace"), f"{major.value}.{minor.value}", count.value)


def _error_name(library: Any, code: int) -> str:
    name = ctypes.c_char_p()
    library.cuGetErrorName(code, ctypes.byref(name))
    return name.value.decode() if name.value else f"error {code}"
