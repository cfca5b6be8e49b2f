"""Frames that lie on the GPU already, and masks that stay there.

Arrays of torch, CuPy, Numba and others are told by what they offer: DLPack's ``__dlpack__`` with a CUDA device, or
``__cuda_array_interface__``. DLPack is preferred where both are there, because its owner makes our stream wait for the
work that makes the frame. torch's interface names no stream to wait for. ``GpuFrame`` carries such an array where a
frame of the host could stand.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.backends.cuda.device import open_device
from fcn_edge.backends.cuda.objects import idle_afterwards
from fcn_edge.backends.frame_buffer import FrameBuffer
from fcn_edge.errors import FrameError

__all__ = ["DeviceFrame", "DeviceMask", "GpuFrame", "device_frame", "on_device"]

_DLPACK_CUDA = (2, 13)
"""DLPack's device types of CUDA: device memory and managed memory."""

_DLPACK_UNSIGNED = 1

_INTERFACE_WITH_STREAMS = 3
"""Version of the interface since which it names a stream, or says that there is nothing to wait for."""

_NO_STREAM = -1
"""What DLPack's owners are told when nobody reads their memory."""

_LEGACY_STREAM = 1
"""CU_STREAM_LEGACY, the default stream, for which blocking streams wait and which waits for them."""


@dataclass(frozen=True)
class DeviceFrame:
    """A ``(height, width, 3)`` uint8 BGR frame on the GPU.

    Attributes:
        pointer: Its first byte.
        size: ``(height, width)``.
        pitch: Bytes from one row to the next.
        stream: Handle of the stream whose work must be done before it is read, 1 for the legacy default stream; 0 when
            there is none.
        owner: What keeps the memory; hold it while the frame is read.
    """

    pointer: int
    size: tuple[int, int]
    pitch: int
    stream: int
    owner: Any


class GpuFrame(FrameBuffer):
    """A frame on a GPU, out of an array of torch, CuPy or anything else that ``on_device`` is true of.

    It offers what its array offers, so that ``torch.as_tensor(frame, device="cuda")`` works, too.

    Args:
        array: ``(H, W, 3)`` uint8 BGR, each row contiguous; kept, with its memory.
        device: Index of its GPU, for arrays that do not tell.

    Attributes:
        array: What it is made of.

    Raises:
        FrameError: It is no such array.
    """

    def __init__(self, array: Any, device: int = 0) -> None:
        if not on_device(array):
            raise FrameError(
                f"A frame on the GPU is an array on the GPU, not {type(array).__name__}.",
                "Give frames of the host as they are.",
            )
        self.array = array
        told = _gpu_of(array)
        self.device = device if told is None else told
        height, width = device_frame(array, _NO_STREAM, self.device).size
        self.shape = (height, width, 3)
        self._host: NDArray[np.uint8] | None = None

    @override
    def host(self) -> NDArray[np.uint8]:
        if self._host is None:
            self._host = _downloaded(self.array, self.device)
        return self._host

    def __getattr__(self, name: str) -> Any:
        if name in ("__cuda_array_interface__", "__dlpack__", "__dlpack_device__"):
            return getattr(self.array, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


def _downloaded(array: Any, device: int) -> NDArray[np.uint8]:
    with open_device(device) as gpu, gpu.current(), gpu.stream() as stream:
        frame = device_frame(array, stream.handle, device)
        height, width = frame.size
        nbytes = frame.pitch * (height - 1) + width * 3
        with gpu.host_buffer(nbytes) as staged, gpu.event() as copied, idle_afterwards(stream):
            if frame.stream:
                stream.join(frame.stream)
            stream.download(staged.array, frame.pointer)
            stream.record(copied)
            copied.synchronize()  # unlike a stream's, this wait lets the thread sleep
            rows = np.lib.stride_tricks.as_strided(staged.array, (height, width, 3), (frame.pitch, 3, 1))
            return np.array(rows, order="C")


class DeviceMask:
    """An ``(H, W)`` uint8 mask on the GPU, complete, for whatever takes ``__cuda_array_interface__``.

    It may be used while it lives and until its session is closed: ``torch.as_tensor(mask, device="cuda")``,
    ``cupy.asarray(mask)``; those keep the mask alive. Copy it to keep it longer than the session.

    The next frame may be written into its memory as soon as it is dropped. That waits for nobody's stream: synchronize
    the stream that reads the mask, or one that has copied it, before the mask and all arrays made of it are dropped.

    Args:
        pointer: Its first byte.
        shape: ``(H, W)``.
        pitch: Bytes from one row to the next.
        owner: What keeps the memory.

    Attributes:
        shape: ``(H, W)``.
    """

    def __init__(self, pointer: int, shape: tuple[int, int], pitch: int, owner: Any) -> None:
        self.shape = shape
        self._pointer = pointer
        self._pitch = pitch
        self._owner = owner

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": "|u1",
            "data": (self._pointer, False),
            "strides": (self._pitch, 1),
            "stream": None,  # its work is done
            "version": 3,
        }


def on_device(frame: Any) -> bool:
    """Whether something offers itself as an array on a GPU."""
    if isinstance(frame, np.ndarray):
        return False
    if hasattr(frame, "__cuda_array_interface__"):
        return True
    return hasattr(frame, "__dlpack_device__") and int(frame.__dlpack_device__()[0]) in _DLPACK_CUDA


def device_frame(frame: Any, stream: int, device: int = 0) -> DeviceFrame:
    """A frame out of an array on the GPU; nothing is copied.

    Args:
        frame: What ``on_device`` is true of.
        stream: Handle of the stream that will read it; DLPack's owners make it wait for them.
        device: Index of the GPU that will read it.

    Raises:
        FrameError: It is no ``(H, W, 3)`` uint8 array whose rows are contiguous, or says that it lies on another GPU.
    """
    array = frame.array if isinstance(frame, GpuFrame) else frame
    number = _gpu_of(array)
    if number not in (None, device):
        raise FrameError(
            f"The frame lies on GPU {number}; the network runs on GPU {device}.", f"Copy it to GPU {device} first."
        )
    if number is not None and hasattr(array, "__dlpack__"):
        return _of_dlpack(array, stream)
    return _of_interface(array, array.__cuda_array_interface__)


def _gpu_of(array: Any) -> int | None:
    """Index of the GPU on which an array says that it lies; None where it does not say."""
    kind, number = array.__dlpack_device__() if hasattr(array, "__dlpack_device__") else (0, 0)
    return int(number) if int(kind) in _DLPACK_CUDA else None


def _of_interface(frame: Any, interface: dict[str, Any]) -> DeviceFrame:
    shape, strides = tuple(interface["shape"]), interface.get("strides")
    _check(shape, strides, interface["typestr"] == "|u1", interface["typestr"])
    return DeviceFrame(interface["data"][0], shape[:2], _pitch(shape, strides), _stream_of(interface), frame)


def _stream_of(interface: dict[str, Any]) -> int:
    if interface.get("version", 0) < _INTERFACE_WITH_STREAMS:
        return _LEGACY_STREAM  # it does not say where its work is; most of it is on the default stream
    return interface.get("stream") or 0


class _Tensor(ctypes.Structure):
    """DLPack's ``DLTensor``, which begins its ``DLManagedTensor``."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


def _of_dlpack(frame: Any, stream: int) -> DeviceFrame:
    # the capsule keeps the memory and gives it back when it is collected, because its name is left as it is
    capsule = frame.__dlpack__(stream=stream)
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    tensor = _Tensor.from_address(pointer_of(capsule, b"dltensor"))
    shape = tuple(tensor.shape[: tensor.ndim])
    strides = tuple(tensor.strides[: tensor.ndim]) if tensor.strides else None
    kind = (tensor.code, tensor.bits, tensor.lanes)
    _check(shape, strides, kind == (_DLPACK_UNSIGNED, 8, 1), f"DLPack type {kind}")
    return DeviceFrame((tensor.data or 0) + tensor.byte_offset, shape[:2], _pitch(shape, strides), 0, (frame, capsule))


def _check(shape: Sequence[int], strides: Sequence[int] | None, is_uint8: bool, kind: str) -> None:
    if not is_uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise FrameError(
            f"A frame on the GPU is a (H, W, 3) uint8 BGR array, not {tuple(shape)} {kind}.",
            "Bring it to (H, W, 3) uint8 first; torch: frame.permute(1, 2, 0).contiguous()",
        )
    if strides is not None and not _rows_are_contiguous(shape, strides):
        raise FrameError(
            f"The rows of the frame on the GPU are not contiguous (strides {tuple(strides)}).",
            "Make it contiguous first; torch: frame.contiguous(), CuPy: cupy.ascontiguousarray(frame)",
        )


def _rows_are_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    # an axis of length 1 may have any stride
    pixels = shape[1] == 1 or strides[1] == 3
    return strides[2] == 1 and pixels and (shape[0] == 1 or strides[0] >= shape[1] * 3)


def _pitch(shape: Sequence[int], strides: Sequence[int] | None) -> int:
    return strides[0] if strides is not None and shape[0] > 1 else shape[1] * 3
