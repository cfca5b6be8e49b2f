"""The CUDA kernels of this package: their source, and how each is launched. Nothing of CUDA is imported here.

Whoever launches compiles ``kernel_source(launch.kernel)`` (C++14, nothing to include; entries are ``extern "C"``
already, so PyCUDA must be told ``no_extern_c=True``), takes the function ``launch.entry`` and hands it
``launch.arguments`` in order. Pointers are device addresses. ``tests/ops`` runs the same text on the host.

    entry        arguments (C types), in order
    decode_fp32  const float *scores, unsigned char *labels, int *not_finite, then as decode_fp16
    decode_fp16  const unsigned short *scores, unsigned char *labels, int *not_finite,
                 int classes, int grid_rows, int grid_columns, int height, int width, int pitch,
                 long long row_scale, long long row_offset, int row_start, int row_stop,
                 long long column_scale, long long column_offset, int column_start, int column_stop,
                 int void_label, int tile_rows, int tile_columns, int row_slots, int column_slots
    overlay      const unsigned char *frame, int frame_pitch, const unsigned char *labels, int label_pitch,
                 const unsigned char *palette, unsigned char *out, int out_pitch, int height, int width,
                 float alpha, unsigned int void_label
    preprocess   const unsigned char *frame, int pitch,
                 int region_top, int region_left, int region_rows, int region_columns,
                 unsigned char *input, int rows, int columns, int content_rows, int content_columns,
                 int content_top, int content_left, float row_scale, float column_scale, int factor,
                 int fill_blue, int fill_green, int fill_red

No kernel needs scratch memory on the device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np
from numpy.typing import DTypeLike

from fcn_edge.artifacts.spec import Size
from fcn_edge.ops.geometry import AxisMapping, FrameMapping, Placement
from fcn_edge.ops.preprocess import thinned_size

__all__ = [
    "KERNELS",
    "Launch",
    "PackedArguments",
    "decode_launch",
    "kernel_source",
    "overlay_launch",
    "preprocess_launch",
]

KERNELS = ("decode", "overlay", "preprocess")
"""Names of the kernel files beside this module."""

_INCLUDE = re.compile(r'^#include "(.+)"\n', re.MULTILINE)

_DECODE_TILES = ((32, 128), (16, 128), (16, 64), (8, 64), (8, 32), (4, 32), (2, 16), (1, 4))
"""Rows and columns of frame pixels that a block decodes, the preferred first."""

_DECODE_SHARED = 32 << 10
"""Bytes of shared memory that leave room for several blocks on every processor from Maxwell on."""

_DECODE_THREADS = 128
_IMAGE_THREADS = (32, 8, 1)
_IMAGE_PIXELS = 4
"""Neighboring pixels that a thread of the other kernels makes: as many as fill whole words."""

_OVERLAY_ROWS = 32
"""Rows that share a block's copy of the palette."""

_WORD = 8
"""Bytes of the largest argument."""

_ONE_CELL = 1 << 40
"""Grid coordinates are whole numbers of this part of a cell on the device: it is slow with float64."""


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel.

    Attributes:
        kernel: File that holds it, one of ``KERNELS``.
        entry: Name of the function.
        grid: Blocks along x, y, z.
        block: Threads along x, y, z.
        shared_bytes: Dynamic shared memory of a block, below 48 KiB.
        arguments: NumPy scalars of the kernel's argument types, in its order; pointers as uint64.
    """

    kernel: str
    entry: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    arguments: tuple[np.generic, ...]

    @cached_property
    def packed(self) -> PackedArguments:
        """The arguments as CUDA's launch function takes them; made once, for that takes longer than a launch."""
        return PackedArguments(self.arguments)


class PackedArguments:
    """Arguments of a kernel in memory of their own.

    Args:
        arguments: NumPy scalars of up to 8 bytes.

    Attributes:
        pointer: Host address of as many 8-byte host addresses, one of each argument's bytes; valid while this lives.
    """

    def __init__(self, arguments: tuple[np.generic, ...]) -> None:
        self._values = np.zeros((len(arguments), _WORD), np.uint8)
        for value, argument in zip(self._values, arguments, strict=True):
            value[: argument.itemsize] = np.frombuffer(argument.tobytes(), np.uint8)
        self._addresses = self._values.ctypes.data + np.arange(len(arguments), dtype=np.uint64) * _WORD
        self.pointer = self._addresses.ctypes.data


def kernel_source(kernel: str) -> str:
    """The text of a kernel file with what it includes: compilers need no include path.

    Args:
        kernel: One of ``KERNELS``.
    """
    files = resources.files("fcn_edge.ops")
    source = files.joinpath(f"{kernel}.cu").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda include: files.joinpath(include[1]).read_text(encoding="utf-8"), source)


def decode_launch(
    scores: int,
    dtype: DTypeLike,
    shape: tuple[int, int, int, int],
    mapping: FrameMapping,
    void: int,
    labels: int,
    not_finite: int,
    pitch: int | None = None,
) -> Launch:
    """``ops.decode.decode`` of a batch of scores, on the device.

    Args:
        scores: Address of ``(N, C, h, w)`` scores, C-contiguous.
        dtype: Dtype of the scores: float32 or float16.
        shape: ``(N, C, h, w)``, 1 to 255 classes, up to 65535 images.
        mapping: Frame pixels to grid coordinates, the same for all images.
        void: Label of the pixels that the network did not see.
        labels: Address to write ``(N, H, W)`` uint8 labels to, rows ``pitch`` bytes apart and images ``H`` rows.
        not_finite: Address of an int32 that is set to 1 when a score around a seen pixel is NaN or infinity, and
            left alone otherwise: zero it before. The labels hold nonsense then.
        pitch: Bytes from one row of labels to the next; the frame's width when left out. Writing is fastest where
            it and ``labels`` are multiples of 16.

    Raises:
        ValueError: The scores are neither float32 nor float16.
    """
    entry = {np.dtype(np.float32): "decode_fp32", np.dtype(np.float16): "decode_fp16"}.get(np.dtype(dtype))
    if entry is None:
        raise ValueError(f"scores of type {np.dtype(dtype)} cannot be decoded; float32 or float16 was expected")
    images, classes, grid_rows, grid_columns = shape
    height, width = mapping.frame_size
    rows, columns = mapping.rows, mapping.columns
    for tile_rows, tile_columns in _DECODE_TILES:
        row_slots, column_slots = _slots(rows, tile_rows), _slots(columns, tile_columns)
        shared = _decode_shared_bytes(classes, tile_rows, tile_columns, row_slots, column_slots)
        if shared <= _DECODE_SHARED:
            break
    pixels = (height, width, width if pitch is None else pitch)
    tile = (tile_rows, tile_columns, row_slots, column_slots)
    return Launch(
        kernel="decode",
        entry=entry,
        grid=(_blocks(width, tile_columns), _blocks(height, tile_rows), images),
        block=(_DECODE_THREADS, 1, 1),
        shared_bytes=shared,
        arguments=(
            *(np.uint64(address) for address in (scores, labels, not_finite)),
            *(np.int32(number) for number in (classes, grid_rows, grid_columns, *pixels)),
            *_axis_arguments(rows),
            *_axis_arguments(columns),
            *(np.int32(number) for number in (void, *tile)),
        ),
    )


def overlay_launch(
    frame: int,
    labels: int,
    palette: int,
    out: int,
    size: Size,
    alpha: float = 0.5,
    void: int = 255,
    frame_pitch: int | None = None,
    label_pitch: int | None = None,
    out_pitch: int | None = None,
) -> Launch:
    """``ops.overlay.overlay`` on the device, to within one gray level.

    Args:
        frame: Address of the ``(H, W, 3)`` uint8 BGR frame.
        labels: Address of its ``(H, W)`` uint8 mask.
        palette: Address of ``(256, 3)`` uint8 BGR, of ``palette_bgr``.
        out: Address to write ``(H, W, 3)`` uint8 BGR to; it may be ``frame``.
        size: ``(H, W)``.
        alpha: Share of the class color, 0 to 1.
        void: Label of the pixels that keep the frame's color.
        frame_pitch: Bytes from one row of the frame to the next, ``3 * W`` when left out.
        label_pitch: The same of the mask, ``W`` when left out.
        out_pitch: The same of the output, ``3 * W`` when left out. Fastest where all addresses and pitches are
            multiples of 4.
    """
    height, width = size
    return Launch(
        kernel="overlay",
        entry="overlay",
        grid=(_blocks(width, _IMAGE_PIXELS * _IMAGE_THREADS[0]), _blocks(height, _OVERLAY_ROWS), 1),
        block=_IMAGE_THREADS,
        shared_bytes=256 * 4,
        arguments=(
            np.uint64(frame),
            np.int32(3 * width if frame_pitch is None else frame_pitch),
            np.uint64(labels),
            np.int32(width if label_pitch is None else label_pitch),
            np.uint64(palette),
            np.uint64(out),
            np.int32(3 * width if out_pitch is None else out_pitch),
            *(np.int32(number) for number in size),
            np.float32(alpha),
            np.uint32(void),
        ),
    )


def preprocess_launch(
    frame: int, place: Placement, fill: tuple[int, int, int], out: int, pitch: int | None = None
) -> Launch:
    """``ops.preprocess.network_input`` on the device, to within one gray level.

    Args:
        frame: Address of the ``(H, W, 3)`` uint8 BGR frame, of ``place.frame_size``.
        place: Where the frame goes.
        fill: BGR color of the rest, the spec's ``fill_bgr``.
        out: Address to write ``(*place.network_size, 3)`` uint8 BGR to, a multiple of 4.
        pitch: Bytes from one row of the frame to the next, ``3 * W`` when left out.
    """
    top, left, bottom, right = place.region
    region, content = (bottom - top, right - left), place.content_size
    thinned = thinned_size(region, content)
    factor = region[0] // thinned[0]
    if (factor * thinned[0], factor * thinned[1]) != region:
        thinned, factor = region, 0  # the kernel averages over fractions of pixels, straight to the content's size
    rows, columns = place.network_size
    return Launch(
        kernel="preprocess",
        entry="preprocess",
        grid=(_blocks(columns, _IMAGE_PIXELS * _IMAGE_THREADS[0]), _blocks(rows, _IMAGE_THREADS[1]), 1),
        block=_IMAGE_THREADS,
        shared_bytes=0,
        arguments=(
            np.uint64(frame),
            np.int32(3 * place.frame_size[1] if pitch is None else pitch),
            *(np.int32(number) for number in (top, left, *region)),
            np.uint64(out),
            *(np.int32(number) for number in (rows, columns, *content, *place.origin)),
            *(np.float32(size / part) for size, part in zip(thinned, content, strict=True)),
            np.int32(factor),
            *(np.int32(level) for level in fill),
        ),
    )


def _blocks(length: int, covered: int) -> int:
    return -(-length // covered)


def _axis_arguments(axis: AxisMapping) -> tuple[np.generic, ...]:
    scale, offset = (np.int64(_fixed_point(number)) for number in (axis.scale, axis.offset))
    return scale, offset, np.int32(axis.start), np.int32(axis.stop)


def _fixed_point(coordinate: float) -> int:
    return round(coordinate * _ONE_CELL)


def _slots(axis: AxisMapping, pixels: int) -> int:
    """Grid points that a tile of so many pixels may need: all that it spans, or two a pixel where those are fewer."""
    scale = _fixed_point(axis.scale)
    return 2 * pixels if scale > _ONE_CELL else -(-(pixels - 1) * scale // _ONE_CELL) + 2


def _decode_shared_bytes(classes: int, tile_rows: int, tile_columns: int, row_slots: int, column_slots: int) -> int:
    points = row_slots * column_slots
    border = points * (1 + -(-classes // 32)) + 1
    words = classes * points + border + 2 * (row_slots + column_slots) + 2 * (tile_rows + tile_columns)
    return tile_rows * tile_columns + 4 * words + (row_slots + 1) * (column_slots + 1)
