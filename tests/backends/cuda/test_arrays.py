from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda.arrays import device_frame, on_device
from fcn_edge.errors import FrameError

OUR_STREAM = 0x55


class Interface:
    """An array as CuPy, Numba or torch would offer it."""

    def __init__(self, shape: tuple[int, ...] = (4, 6, 3), typestr: str = "|u1", **more: Any) -> None:
        data = {"shape": shape, "typestr": typestr, "data": (0x1000, False), "version": 3}
        self.__cuda_array_interface__ = {**data, **more}


class Both(Interface):
    """An array of torch, which offers version 2 of the interface and DLPack, as if it lay on a device."""

    def __init__(self, array: np.ndarray[Any, Any], device: tuple[int, int] = (2, 0)) -> None:
        super().__init__(array.shape, data=(array.ctypes.data, False), version=2)
        dlpack = OnGpu(array, device)
        self.streams = dlpack.streams
        self.__dlpack__ = dlpack.__dlpack__
        self.__dlpack_device__ = dlpack.__dlpack_device__


class InterfaceOnly(Interface):
    """An array that tells its device, and gives no DLPack."""

    def __init__(self, device: tuple[int, int]) -> None:
        super().__init__()
        self.__dlpack_device__ = lambda: device


class OnGpu:
    """An array that speaks DLPack, said to lie on a device."""

    def __init__(self, array: np.ndarray[Any, Any], device: tuple[int, int] = (2, 0)) -> None:
        self.array = array
        self.streams: list[Any] = []
        self._device = device

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device

    def __dlpack__(self, *, stream: Any = None) -> Any:
        self.streams.append(stream)
        return self.array.__dlpack__()


def test_what_lies_on_a_gpu_is_told() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert on_device(Interface())
    assert on_device(OnGpu(image))
    assert on_device(OnGpu(image, (13, 0)))
    assert not on_device(image)
    assert not on_device(OnGpu(image, (1, 0)))
    assert not on_device([[1, 2, 3]])
    assert not on_device(None)


@pytest.mark.parametrize(
    ("more", "pitch", "stream"),
    [
        ({}, 18, 0),
        ({"strides": None, "stream": None}, 18, 0),
        ({"strides": (32, 3, 1), "stream": 2}, 32, 2),
        ({"version": 2}, 18, 1),
        ({"shape": (1, 6, 3), "strides": (7, 3, 1)}, 18, 0),
        ({"shape": (4, 1, 3), "strides": (32, 9, 1)}, 32, 0),
    ],
    ids=["plain", "none", "pitched", "without a stream", "one row", "one column"],
)
def test_frames_of_the_cuda_array_interface(more: dict[str, Any], pitch: int, stream: int) -> None:
    array = Interface(**more)
    frame = device_frame(array, OUR_STREAM)
    assert (frame.pointer, frame.pitch, frame.stream, frame.owner) == (0x1000, pitch, stream, array)
    assert frame.size == array.__cuda_array_interface__["shape"][:2]


def test_frames_of_dlpack_wait_by_themselves() -> None:
    whole = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    array = OnGpu(whole[1:, 1:7])
    frame = device_frame(array, OUR_STREAM)
    assert array.streams == [OUR_STREAM]
    assert (frame.size, frame.pitch, frame.stream) == ((3, 6), 24, 0)
    assert ctypes.string_at(frame.pointer, 18) == whole[1, 1:7].tobytes()


def test_dlpack_is_preferred_because_it_waits() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    array = Both(image)
    frame = device_frame(array, OUR_STREAM)
    assert array.streams == [OUR_STREAM]
    assert (frame.pointer, frame.size, frame.pitch, frame.stream) == (image.ctypes.data, (4, 6), 18, 0)


def test_the_interface_is_taken_where_there_is_no_dlpack_of_a_gpu() -> None:
    for array in (InterfaceOnly((2, 0)), Both(np.zeros((4, 6, 3), np.uint8), (1, 0))):
        frame = device_frame(array, OUR_STREAM)
        assert (frame.pointer, frame.owner) == (array.__cuda_array_interface__["data"][0], array)


def test_dlpack_s_memory_is_given_back_with_the_frame() -> None:
    array = np.zeros((4, 6, 3), np.uint8)
    before = sys.getrefcount(array)
    frame = device_frame(OnGpu(array), OUR_STREAM)
    assert sys.getrefcount(array) > before
    del frame
    assert sys.getrefcount(array) == before


@pytest.mark.parametrize(
    "array",
    [
        Interface((4, 6)),
        Interface((4, 6, 4)),
        Interface((3, 4, 6)),
        Interface((0, 6, 3)),
        Interface(typestr="<f4"),
        Interface(strides=(18, 3, 2)),
        Interface(strides=(36, 6, 1)),
        Interface(strides=(-18, 3, 1)),
        OnGpu(np.zeros((4, 6, 3), np.int8)),
        OnGpu(np.zeros((4, 6, 3), np.uint16)),
        OnGpu(np.zeros((4, 6, 4), np.uint8)),
        OnGpu(np.zeros((4, 6, 3), np.uint8)[:, ::2]),
        OnGpu(np.zeros((4, 6, 3), np.uint8), (2, 1)),
        Both(np.zeros((4, 6, 3), np.uint8), (2, 1)),
        InterfaceOnly((2, 1)),
    ],
    ids=[
        "gray", "alpha", "planes", "empty", "floats", "bytes apart", "columns apart", "upside down",
        "dlpack signed", "dlpack 16-bit", "dlpack alpha", "dlpack columns apart", "another GPU",
        "both of another GPU", "interface of another GPU",
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused(array: Any) -> None:
    with pytest.raises(FrameError) as caught:
        device_frame(array, OUR_STREAM)
    assert caught.value.fix
