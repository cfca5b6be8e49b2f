"""What a CUDA call's failure means for people."""

from __future__ import annotations

from fcn_edge.errors import DeviceError, MachineError
from fcn_edge.system.account import CONTAINER_GROUPS, JOIN_GROUPS
from fcn_edge.system.cuda_wheels import OLDEST_CUDA, wheels

__all__ = ["GpuMemoryError", "RefusedCodeError", "cuda_error", "no_driver", "no_such_gpu", "too_old", "uncompiled"]


class GpuMemoryError(MachineError):
    """The GPU, or the memory that it shares, has too little left for an allocation."""


class RefusedCodeError(MachineError):
    """The driver does not take compiled GPU code: of another GPU, of a newer compiler, or no code at all."""


_DRIVER_FIX = (
    "Install NVIDIA's driver (on Jetson: JetPack), or give the container the GPU with --gpus all or --runtime nvidia."
)

_REFUSED = (
    RefusedCodeError,
    "NVIDIA's driver does not take the compiled GPU code ({call}).",
    "The CUDA compiler must not be newer than the driver's CUDA: fcn-edge doctor gives the command that fixes it.",
)

_KNOWN: dict[str, tuple[type[MachineError], str, str]] = {
    "cuInit: CUDA_ERROR_NOT_SUPPORTED": (
        DeviceError,
        "The user may not use the GPU: on a Jetson it takes the groups video and render.",
        f"Join them: {JOIN_GROUPS}; in a container: docker run {CONTAINER_GROUPS} ...",
    ),
    "CUDA_ERROR_OUT_OF_MEMORY": (
        GpuMemoryError,
        "The GPU has no memory left ({call}).",
        "Close other programs that use the GPU, or build for a smaller --size.",
    ),
    "CUDA_ERROR_NO_DEVICE": (
        DeviceError,
        "NVIDIA's driver finds no GPU.",
        "Check CUDA_VISIBLE_DEVICES; in a container, give it the GPU with --gpus all or --runtime nvidia; on a Jetson, "
        "the user must be in the groups video and render.",
    ),
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": (
        MachineError,
        "The parts of NVIDIA's driver are of different versions.",
        "Restart the machine, or install the driver again.",
    ),
    "CUDA_ERROR_STUB_LIBRARY": (
        DeviceError,
        "The driver library libcuda.so is the one for linking, which runs nothing.",
        _DRIVER_FIX,
    ),
    "CUDA_ERROR_INVALID_IMAGE": _REFUSED,
    "CUDA_ERROR_INVALID_SOURCE": _REFUSED,
    "CUDA_ERROR_UNSUPPORTED_PTX_VERSION": (
        RefusedCodeError,
        "NVIDIA's driver is older than the compiler that made the GPU code.",
        "Update the driver (on Jetson: JetPack), or install a cuda-python of the driver's CUDA version.",
    ),
    "CUDA_ERROR_NO_BINARY_FOR_GPU": (
        RefusedCodeError,
        "The compiler has made no code for this GPU.",
        "Install a newer CUDA compiler: pip install --upgrade nvidia-cuda-nvrtc, or with a driver for CUDA 12 "
        "nvidia-cuda-nvrtc-cu12.",
    ),
    "CUDA_ERROR_ILLEGAL_ADDRESS": (
        DeviceError,
        "The GPU was stopped because a kernel went out of its memory ({call}).",
        "Start the program again; if it comes back, run it with compute-sanitizer and report it.",
    ),
    "CUDA_ERROR_LAUNCH_TIMEOUT": (
        DeviceError,
        "The GPU was stopped because a kernel took too long ({call}).",
        "Use a GPU that drives no display, or build for a smaller --size.",
    ),
}


def cuda_error(call: str, code: str) -> MachineError:
    """The error of a failed call.

    Args:
        call: Name of the call, such as ``cuMemAlloc``.
        code: Name of the result, such as ``CUDA_ERROR_OUT_OF_MEMORY``, or the library's text for it.
    """
    known = _KNOWN.get(f"{call}: {code}") or _KNOWN.get(code)
    if known is not None:
        kind, message, fix = known
        return kind(message.format(call=call), fix)
    return DeviceError(f"The GPU failed in {call}: {code}.", "Start the program again; fcn-edge doctor checks the GPU.")


def no_such_gpu(index: int, count: int) -> MachineError:
    """The error that says that there are fewer GPUs.

    Args:
        index: The GPU that was asked for.
        count: How many there are.
    """
    if not count:
        return cuda_error("cuDeviceGetCount", "CUDA_ERROR_NO_DEVICE")
    there = "GPU 0 only" if count == 1 else f"GPUs 0 to {count - 1}"
    return DeviceError(
        f"There is no GPU {index}: this machine has {there}.",
        "Choose one of them; CUDA_VISIBLE_DEVICES, where it is set, hides the others.",
    )


def no_driver() -> DeviceError:
    """The error of a machine on which the driver's library cannot be loaded.

    What the loader said belongs into its cause: each package has words of its own for it.
    """
    return DeviceError("NVIDIA's driver is not here: its library libcuda.so.1 cannot be loaded.", _DRIVER_FIX)


def too_old(call: str, driver: tuple[int, int] | None) -> MachineError:
    """The error of a driver that lacks a function.

    Args:
        call: The function.
        driver: CUDA version that the driver supports; None where it was not asked yet.
    """
    supported, other = "", "."
    if driver is not None:
        supported = f", for CUDA {driver[0]}.{driver[1]},"
        if driver[0] >= OLDEST_CUDA:
            other = f", or install the cuda-python of its version: {wheels(driver[0])}"
    return MachineError(
        f"NVIDIA's driver{supported} has no {call}.",
        f"Update the driver (on Jetson: JetPack){other}",
    )


def uncompiled(reason: str, fix: str) -> MachineError:
    """The error of a kernel that cannot be compiled.

    Args:
        reason: Why, without a full stop.
        fix: What fixes it.
    """
    return MachineError(f"The GPU code cannot be compiled: {reason}.", fix)
