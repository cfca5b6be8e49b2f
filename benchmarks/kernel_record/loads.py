"""What the kernels load from global memory, counted as their own source runs on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import Launch, decode_launch, overlay_launch, preprocess_launch
from tests.ops.counting_emulator import CountingEmulator, Loads

__all__ = ["CASES", "loads_of"]

_VOID = 255


@dataclass(frozen=True)
class _Run:
    """A launch with its memory: what is counted, and what must only live as long."""

    launch: Launch
    read: tuple[NDArray[Any], ...]
    written: tuple[NDArray[Any], ...]


def loads_of(emulator: CountingEmulator, case: str) -> Loads:
    """Run a case of ``CASES`` and count what it loads of its frame, mask, palette or scores."""
    run = CASES[case]()
    return emulator.loads(run.launch, *run.read)


def _preprocess(frame_size: Size, network_size: Size) -> _Run:
    """The whole frame at its own aspect."""
    frame, out = np.zeros((*frame_size, 3), np.uint8), np.zeros((*network_size, 3), np.uint8)
    place = placement(frame_size, network_size, Resize())
    return _Run(preprocess_launch(frame.ctypes.data, place, (0, 0, 0), out.ctypes.data), (frame,), (out,))


def _decode(size: Size, classes: int, stride: int, dtype: DTypeLike) -> _Run:
    """A frame of the network's size. Which class wins where does not change what is loaded."""
    shape = (1, classes, size[0] // stride, size[1] // stride)
    scores, mask, flag = np.zeros(shape, dtype), np.zeros(size, np.uint8), np.zeros(1, np.int32)
    mapping = placement(size, size, Resize()).mapping(stride)
    addresses = mask.ctypes.data, flag.ctypes.data
    return _Run(decode_launch(scores.ctypes.data, dtype, shape, mapping, _VOID, *addresses), (scores,), (mask, flag))


def _overlay(size: Size) -> _Run:
    frame, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
    palette, out = np.zeros((256, 3), np.uint8), np.zeros((*size, 3), np.uint8)
    addresses = (one.ctypes.data for one in (frame, mask, palette, out))
    return _Run(overlay_launch(*addresses, size), (frame, mask, palette), (out,))


_FRAMES = ((720, 1280), (1080, 1920), (2160, 3840))
_NETWORKS = ((512, 1024), (480, 640))

CASES: dict[str, Callable[[], _Run]] = {
    **{
        "preprocess {}x{} to {}x{}".format(*frame, *network): partial(_preprocess, frame, network)
        for frame in _FRAMES
        for network in _NETWORKS
    },
    "decode_fp16 512x1024, 19 classes, stride 8": partial(_decode, (512, 1024), 19, 8, np.float16),
    "overlay 1080x1920": partial(_overlay, (1080, 1920)),
}
"""Usual sizes, rows by columns, by a name that begins with the kernel's entry."""
