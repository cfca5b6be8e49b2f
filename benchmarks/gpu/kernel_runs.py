"""The kernels of a case, run wherever there is memory and something that launches: a GPU, or the host in its place."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fcn_edge.ops.geometry import FrameMapping
from fcn_edge.ops.kernels import Launch, decode_launch, overlay_launch, preprocess_launch
from gpu.cases import MEAN, VOID, OverlayCase, PreprocessCase

__all__ = ["Bench", "image_of", "masks_of"]

_UNWRITTEN = 0xA5
_PADDING = 5
"""Bytes between the rows of masks, which nobody may write to."""


class Bench(Protocol):
    """Memory by addresses, and a way to launch kernels on it."""

    def put(self, values: NDArray[Any]) -> int:
        """The address of an array's copy."""

    def get(self, pointer: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """A copy of an array, when all work before is done."""

    def launch(self, launch: Launch) -> None:
        """Enqueue a kernel."""


def masks_of(bench: Bench, scores: NDArray[Any], mapping: FrameMapping) -> tuple[NDArray[np.uint8], bool, bool]:
    """What the decode kernel makes of ``(N, C, h, w)`` scores.

    Returns:
        ``(N, H, W)`` masks; whether the scores were found not finite; whether the bytes between rows were left alone.
    """
    height, width = mapping.frame_size
    pitch = width + _PADDING
    labels = bench.put(np.full((len(scores), height, pitch), _UNWRITTEN, np.uint8))
    flag = bench.put(np.zeros(1, np.int32))
    at = bench.put(scores)
    bench.launch(decode_launch(at, scores.dtype, scores.shape, mapping, VOID, labels, flag, pitch))
    rows = bench.get(labels, (len(scores), height, pitch), np.uint8)
    untouched = bool((rows[:, :, width:] == _UNWRITTEN).all())
    return np.ascontiguousarray(rows[:, :, :width]), bool(bench.get(flag, (1,), np.int32)[0]), untouched


def image_of(bench: Bench, case: OverlayCase | PreprocessCase) -> NDArray[np.uint8]:
    """What the overlay or the preprocess kernel makes of a case, ``(H, W, 3)`` uint8 BGR."""
    frame = bench.put(case.frame)
    if isinstance(case, OverlayCase):
        shape = case.frame.shape
        out = bench.put(np.full(shape, _UNWRITTEN, np.uint8))
        mask, palette = bench.put(case.labels), bench.put(case.palette)
        bench.launch(overlay_launch(frame, mask, palette, out, shape[:2], case.alpha, VOID))
    else:
        shape = (*case.place.network_size, 3)
        out = bench.put(np.full(shape, _UNWRITTEN, np.uint8))
        bench.launch(preprocess_launch(frame, case.place, MEAN, out))
    return bench.get(out, shape, np.uint8)
