"""What the kernels are given: the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.ops.geometry import FrameMapping, Placement, placement
from fcn_edge.ops.overlay import overlay, palette_bgr
from fcn_edge.ops.preprocess import network_input
from gpu.pseudo_random import bytes_of, noise, smooth
from gpu.real_scores import RealScores

__all__ = ["MEAN", "TABLES", "VOID", "DecodeCase", "OverlayCase", "PreprocessCase", "decode_cases", "image_cases"]

VOID = 255
MEAN = (104, 117, 123)
DTYPES = (np.float32, np.float16)

ROI = Resize(policy="roi", roi=(0.25, 0.1, 0.9, 0.8))
LETTERBOX, STRETCH = Resize(), Resize(policy="stretch")

SMALL = (
    # classes, stride, network, frame, resize
    (11, 8, (64, 96), (64, 96), LETTERBOX),
    (11, 16, (64, 96), (60, 101), LETTERBOX),
    (2, 32, (64, 96), (45, 80), STRETCH),
    (60, 8, (96, 64), (130, 57), ROI),
    (255, 8, (64, 96), (61, 99), LETTERBOX),
)
LARGE = (
    (19, 8, (512, 1024), (512, 1024), LETTERBOX),
    (19, 8, (512, 1024), (720, 1280), LETTERBOX),
    (21, 16, (256, 512), (360, 640), LETTERBOX),
    (19, 32, (256, 512), (540, 960), ROI),
    (255, 8, (128, 160), (240, 427), LETTERBOX),
)
LARGEST = (
    (19, 8, (512, 1024), (2160, 3840), LETTERBOX),
    (11, 8, (512, 1024), (4320, 7680), LETTERBOX),
)
"""4K and 8K: one image of areas each, where an address or a coordinate may not fit its type."""

PLACES = (
    # frame, network; the frame is thinned by 1, 1, 2, 1 and 3
    ((64, 96), (64, 96)),
    ((60, 101), (64, 96)),
    ((128, 192), (64, 96)),
    ((33, 131), (96, 64)),
    ((192, 288), (64, 96)),
)
LARGE_PLACES = (
    # thinned by 1, 2, 4 and 8, and by 6
    ((720, 1280), (512, 1024)),
    ((1080, 1920), (512, 1024)),
    ((2160, 3840), (512, 1024)),
    ((4320, 7680), (512, 1024)),
    ((2160, 3840), (480, 640)),
)
ALPHAS = (0.0, 0.35, 1.0)
TABLES = (SMALL, LARGE, LARGEST, PLACES, LARGE_PLACES, ALPHAS, MEAN)


@dataclass(frozen=True)
class DecodeCase:
    """Scores to decode.

    Attributes:
        key: Names it among all cases.
        scores: ``(N, C, h, w)`` float32 or float16.
        mapping: Frame pixels to its grid.
    """

    key: str
    scores: NDArray[Any]
    mapping: FrameMapping

    @property
    def kernel(self) -> str:
        """The kernel and its type."""
        return f"decode {self.scores.dtype}"


@dataclass(frozen=True)
class OverlayCase:
    """A frame and its mask to blend.

    Attributes:
        key: Names it among all cases.
        frame: ``(H, W, 3)`` uint8 BGR.
        labels: ``(H, W)`` uint8, void among them.
        alpha: Share of the class color.
    """

    key: str
    frame: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    alpha: float
    kernel: str = "overlay"

    @property
    def palette(self) -> NDArray[np.uint8]:
        """``(256, 3)`` uint8 BGR."""
        return palette_bgr(LABEL_SETS["camvid"].palette)

    def on_host(self) -> NDArray[np.uint8]:
        """What the host makes of it."""
        return overlay(self.frame, self.labels, self.palette, self.alpha)


@dataclass(frozen=True)
class PreprocessCase:
    """A frame to bring to the network's size.

    Attributes:
        key: Names it among all cases.
        frame: ``(H, W, 3)`` uint8 BGR.
        place: Where it goes.
    """

    key: str
    frame: NDArray[np.uint8]
    place: Placement
    kernel: str = "preprocess"

    def on_host(self) -> NDArray[np.uint8]:
        """What the host makes of it."""
        return network_input(self.frame, self.place, MEAN)


def decode_cases(real: RealScores, quick: bool) -> Iterator[DecodeCase]:
    """Noise and areas in both types, small first, and the scores of a network; 4K and 8K last.

    Args:
        real: The scores of a network.
        quick: Only the small ones, and the network's.
    """
    for number, (classes, stride, network, frame, resize) in enumerate(SMALL if quick else SMALL + LARGE):
        shape = (2, classes, network[0] // stride, network[1] // stride)
        for kind, made in (("noise", noise), ("areas", smooth)):
            yield from _typed(kind, made(shape, number), placement(frame, network, resize).mapping(stride))
    frame_size = (real.frames[0].shape[0], real.frames[0].shape[1])
    mapping = placement(frame_size, real.size, real.spec.resize).mapping(real.spec.stride, real.spec.geometry)
    yield from _typed(f"{real.spec.name} on {real.source}", real.scores, mapping)
    for classes, stride, network, frame, resize in () if quick else LARGEST:
        shape = (1, classes, network[0] // stride, network[1] // stride)
        yield from _typed("areas", smooth(shape, classes), placement(frame, network, resize).mapping(stride))


def _typed(kind: str, scores: NDArray[np.float32], mapping: FrameMapping) -> Iterator[DecodeCase]:
    frame = "x".join(map(str, mapping.frame_size))
    for dtype in DTYPES:
        key = f"{kind} {'x'.join(map(str, scores.shape))} {np.dtype(dtype)} to {frame}"
        yield DecodeCase(key, scores.astype(dtype), mapping)


def image_cases(quick: bool) -> Iterator[OverlayCase | PreprocessCase]:
    """What overlay and preprocess are given, small first.

    Args:
        quick: Only the small ones.
    """
    for frame_size, network in PLACES if quick else PLACES + LARGE_PLACES:
        frame = bytes_of((*frame_size, 3), frame_size[1])
        size = "x".join(map(str, frame_size))
        for resize in (LETTERBOX, STRETCH, ROI):
            key = f"preprocess {size} to {network[0]}x{network[1]} by {resize.policy}"
            yield PreprocessCase(key, frame, placement(frame_size, network, resize))
        labels = _labels(frame_size)
        for alpha in ALPHAS:
            yield OverlayCase(f"overlay {size} alpha {alpha} beside {network[0]}x{network[1]}", frame, labels, alpha)


def _labels(size: Size) -> NDArray[np.uint8]:
    """Ids of 11 classes, and void."""
    drawn = bytes_of(size, size[0]) % 12
    return np.where(drawn == 11, VOID, drawn).astype(np.uint8)
