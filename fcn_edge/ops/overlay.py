"""Masks made visible: class colors, a blend over the frame, a legend. All images are BGR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import FrameError, UsageError
from fcn_edge.io.opencv import cv2
from fcn_edge.ops.drawable import drawable

__all__ = ["colored", "legend", "overlay", "palette_bgr"]

_ROWS_A_FRAME = 26
_ROW_HEIGHTS = (12, 48)
"""Pixels: below the first the text of the legend cannot be read, beyond the second it is only large."""


def palette_bgr(palette: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """A color for every value that a mask can hold.

    Args:
        palette: One RGB color per class, as in ``ModelSpec.palette``.

    Returns:
        ``(256, 3)`` uint8 BGR; black for values that are no class, such as void.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = np.asarray(palette, np.uint8)[:, ::-1]
    return table


def colored(labels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask in the colors of its classes.

    Args:
        labels: ``(H, W)`` uint8.
        palette: ``(256, 3)`` uint8 BGR, of ``palette_bgr``.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    # many times as fast as palette[labels], and twice as fast as all channels in one LUT; and not applyColorMap: while
    # it tells its overloads apart it runs pending signal handlers, and crashes the process when one of them raises, as
    # Ctrl-C does
    channels = [cv2().LUT(labels, np.ascontiguousarray(palette[:, channel])) for channel in range(3)]
    image: NDArray[np.uint8] = cv2().merge(channels)
    return image


def overlay(
    frame: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    alpha: float = 0.5,
    void: int = 255,
) -> NDArray[np.uint8]:
    """The class colors blended over a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 BGR, left as it is.
        labels: ``(H, W)`` uint8, the frame's mask.
        palette: ``(256, 3)`` uint8 BGR, of ``palette_bgr``.
        alpha: Share of the class color, 0 to 1.
        void: Label of the pixels that keep the frame's color.

    Returns:
        ``(H, W, 3)`` uint8 BGR, a new image.

    Raises:
        FrameError: Mask and frame differ in size.
        UsageError: ``alpha`` is not in 0 to 1.
    """
    if frame.shape[:2] != labels.shape:
        raise FrameError(
            f"The mask is {labels.shape[0]}x{labels.shape[1]} and the frame {frame.shape[0]}x{frame.shape[1]}; "
            "equal sizes were expected."
        )
    if not 0 <= alpha <= 1:
        raise UsageError(f"The overlay's alpha is {alpha}; 0 (frame only) to 1 (classes only) was expected.")
    colors = colored(labels, palette)
    image: NDArray[np.uint8] = cv2().addWeighted(frame, 1 - alpha, colors, alpha, 0, dst=colors)
    unlabeled = labels == void
    if unlabeled.any():
        image = cv2().copyTo(frame, unlabeled.view(np.uint8), image)
    return image


def legend(
    frame: NDArray[np.uint8], names: Sequence[str], palette: NDArray[np.uint8], shares: Sequence[float]
) -> NDArray[np.uint8]:
    """Draw a legend of the classes present into the frame's top left corner.

    The size follows the frame's height. Classes that do not fit are left out, the smallest first; a frame too small
    for one readable line stays as it is.

    Args:
        frame: ``(H, W, 3)`` uint8 BGR, C-contiguous, drawn into.
        names: Class names by id; drawn without marks, or as numbers, where OpenCV is older than 5 and they need it.
        palette: ``(256, 3)`` uint8 BGR, of ``palette_bgr``.
        shares: Share of the pixels by class id, as fractions of 1; classes with a share of 0 are not present.

    Returns:
        ``frame`` itself.
    """
    present = sorted((index for index in range(len(names)) if shares[index] > 0), key=lambda index: -shares[index])
    if not present:
        return frame
    # OpenCV's binding crashes on lone surrogates, which JSON can hold
    names = [name.encode(errors="replace").decode() for name in names]
    height, width = frame.shape[:2]
    percents = {index: _percent(shares[index]) for index in present}
    texts = {index: drawable(names[index], index) for index in present}
    row = min(max(height // _ROWS_A_FRAME, _ROW_HEIGHTS[0]), _ROW_HEIGHTS[1])
    columns = _columns(row, list(texts.values()), list(percents.values()))
    if sum(columns) > width:
        row = row * width // sum(columns)
        columns = _columns(row, list(texts.values()), list(percents.values()))
    present = present[: max(height - row // 2, 0) // max(row, 1)]
    if row < _ROW_HEIGHTS[0] or sum(columns) > width or not present:
        return frame
    panel = frame[: len(present) * row + row // 2, : sum(columns)]
    panel //= 3
    for line, index in enumerate(present):
        top = row // 4 + line * row
        swatch = panel[top + row // 6 : top + row - row // 6, row // 4 : row]
        swatch[...] = palette[index]
        _write(frame, texts[index], columns[0], top, row)
        _write(frame, percents[index], columns[0] + columns[1] + columns[2] - _wide(percents[index], row), top, row)
    return frame


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%" if share >= 0.001 else "<0.1%"


def _columns(row: int, names: list[str], percents: list[str]) -> tuple[int, int, int, int]:
    """Widths in pixels of the colors, the names, the shares and the margin."""
    return (
        row + row // 3,
        max(_wide(name, row) for name in names) + row // 2,
        max(_wide(percent, row) for percent in percents),
        row // 3,
    )


def _wide(text: str, row: int) -> int:
    size, _ = cv2().getTextSize(text, cv2().FONT_HERSHEY_SIMPLEX, _font_scale(row), _thickness(row))
    return int(size[0])


def _write(frame: NDArray[np.uint8], text: str, left: int, top: int, row: int) -> None:
    place = (left, top + row - row // 4)
    white = (255, 255, 255)
    cv2().putText(
        frame, text, place, cv2().FONT_HERSHEY_SIMPLEX, _font_scale(row), white, _thickness(row), cv2().LINE_AA
    )


def _font_scale(row: int) -> float:
    return row / 40  # capitals of Hershey's simplex font are 21 pixels high at scale 1


def _thickness(row: int) -> int:
    return max(1, row // 20)
