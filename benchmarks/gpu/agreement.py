"""Every kernel beside its twin on the host, and the decoder beside the float64 reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.backends.cuda.device import Device
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import FrameMapping, placement
from fcn_edge.ops.kernels import decode_launch, overlay_launch, preprocess_launch
from fcn_edge.ops.overlay import overlay, palette_bgr
from fcn_edge.ops.preprocess import network_input
from gpu.reference import wrong_pixels
from gpu.scores import RealScores, noise, smooth
from gpu.settings import Settings
from gpu.workbench import Workbench

__all__ = ["agreement"]

VOID = 255
MEAN = (104, 117, 123)
GRAY_LEVELS = 1
"""What the image kernels may differ by: they round otherwise than OpenCV."""

ROI = Resize(policy="roi", roi=(0.25, 0.1, 0.9, 0.8))

SMALL = (
    # classes, stride, network, frame, resize
    (11, 8, (64, 96), (64, 96), Resize()),
    (11, 16, (64, 96), (60, 101), Resize()),
    (2, 32, (64, 96), (45, 80), Resize(policy="stretch")),
    (60, 8, (96, 64), (130, 57), ROI),
)
LARGE = (
    (19, 8, (512, 1024), (512, 1024), Resize()),
    (19, 8, (512, 1024), (720, 1280), Resize()),
    (21, 16, (256, 512), (360, 640), Resize()),
    (19, 32, (256, 512), (540, 960), ROI),
    (255, 8, (128, 160), (240, 427), Resize()),
)
PLACES = (
    # frame, network
    ((64, 96), (64, 96)),
    ((60, 101), (64, 96)),
    ((128, 192), (64, 96)),
    ((33, 131), (96, 64)),
)
LARGE_PLACES = (((720, 1280), (512, 1024)), ((1080, 1920), (512, 1024)), ((2160, 3840), (480, 640)))

Row = dict[str, Any]


def agreement(device: Device, real: RealScores, settings: Settings) -> list[Row]:
    """What was compared: a row each, with ``agree``."""
    return [
        *_decoded(device, real, settings),
        _finds_what_is_not_finite(device),
        *_overlaid(device, settings),
        *_preprocessed(device, settings),
    ]


@dataclass(frozen=True)
class _Case:
    kind: str
    scores: NDArray[np.float32]
    mapping: FrameMapping


def _decoded(device: Device, real: RealScores, settings: Settings) -> Iterator[Row]:
    for case in (*_random_cases(settings), _real_case(real)):
        for dtype in (np.float32, np.float16):
            scores = case.scores.astype(dtype)
            masks, flagged = masks_of(device, scores, case.mapping)
            pairs = list(zip(masks, scores, strict=True))
            wrong = sum(wrong_pixels(mask, each, case.mapping, VOID) for mask, each in pairs)
            unlike = sum(int((mask != decode(each, case.mapping, VOID)).sum()) for mask, each in pairs)
            yield {
                "kernel": f"decode {dtype.__name__}",
                "input": f"{case.kind} {'x'.join(map(str, scores.shape))}",
                "frame": list(case.mapping.frame_size),
                "pixels": masks.size,
                "wrong_pixels": wrong,
                "unlike_host_pixels": unlike,
                "agree": wrong == 0 and not flagged,
            }


def _random_cases(settings: Settings) -> Iterator[_Case]:
    for number, (classes, stride, network, frame, resize) in enumerate(SMALL if settings.quick else SMALL + LARGE):
        mapping = placement(frame, network, resize).mapping(stride)
        shape = (2, classes, network[0] // stride, network[1] // stride)
        yield _Case("noise", noise(shape, number), mapping)
        yield _Case("areas", smooth(shape, number), mapping)


def _real_case(real: RealScores) -> _Case:
    frame = (real.frames[0].shape[0], real.frames[0].shape[1])
    mapping = placement(frame, real.size, real.spec.resize).mapping(real.spec.stride, real.spec.geometry)
    return _Case(f"{real.spec.name} on {real.source}", real.scores, mapping)


def masks_of(device: Device, scores: NDArray[Any], mapping: FrameMapping) -> tuple[NDArray[np.uint8], bool]:
    """``(N, H, W)`` masks by the kernel, rows a few bytes apart, and whether the scores were not finite."""
    height, width = mapping.frame_size
    pitch = width + 5
    with Workbench(device) as bench:
        labels = bench.room(len(scores) * height * pitch)
        flag = bench.put(np.zeros(1, np.int32))
        at = bench.put(scores)
        bench.launch(decode_launch(at, scores.dtype, scores.shape, mapping, VOID, labels, flag, pitch))
        masks = bench.get(labels, (len(scores), height, pitch), np.uint8)[:, :, :width]
        return np.ascontiguousarray(masks), bool(bench.get(flag, (1,), np.int32)[0])


def _finds_what_is_not_finite(device: Device) -> Row:
    scores = noise((1, 11, 8, 12))
    scores[0, 5, 4, 6] = np.nan
    flagged = masks_of(device, scores, placement((64, 96), (64, 96), Resize()).mapping(8))[1]
    return {"kernel": "decode float32", "input": "one NaN among noise 1x11x8x12", "found": flagged, "agree": flagged}


def _overlaid(device: Device, settings: Settings) -> Iterator[Row]:
    palette = palette_bgr(LABEL_SETS["camvid"].palette)
    for frame_size, _ in PLACES if settings.quick else PLACES + LARGE_PLACES:
        random = np.random.default_rng(frame_size[1])
        frame = random.integers(0, 256, (*frame_size, 3), np.uint8)
        labels = random.choice([*range(11), VOID], frame_size).astype(np.uint8)
        for alpha in (0.0, 0.35, 1.0):
            with Workbench(device) as bench:
                out = bench.room(frame.nbytes)
                at, mask, colors = bench.put(frame), bench.put(labels), bench.put(palette)
                bench.launch(overlay_launch(at, mask, colors, out, frame_size, alpha, VOID))
                made = bench.get(out, frame.shape, np.uint8)
            yield _image_row(
                "overlay", f"noise, alpha {alpha}", frame_size, made, overlay(frame, labels, palette, alpha)
            )


def _preprocessed(device: Device, settings: Settings) -> Iterator[Row]:
    for frame_size, network in PLACES if settings.quick else PLACES + LARGE_PLACES:
        frame = np.random.default_rng(frame_size[1]).integers(0, 256, (*frame_size, 3), np.uint8)
        for resize in (Resize(), Resize(policy="stretch"), ROI):
            place = placement(frame_size, network, resize)
            with Workbench(device) as bench:
                out = bench.room(network[0] * network[1] * 3)
                bench.launch(preprocess_launch(bench.put(frame), place, MEAN, out))
                made = bench.get(out, (*network, 3), np.uint8)
            text = f"noise to {network[0]}x{network[1]} by {resize.policy}"
            yield _image_row("preprocess", text, frame_size, made, network_input(frame, place, MEAN))


def _image_row(kernel: str, text: str, size: Size, made: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> Row:
    apart = np.abs(made.astype(np.int16) - wanted)
    return {
        "kernel": kernel,
        "input": text,
        "frame": list(size),
        "pixels": size[0] * size[1],
        "gray_levels_apart": int(apart.max()),
        "unlike_host_share": round(float((apart > 0).mean()), 6),
        "agree": int(apart.max()) <= GRAY_LEVELS,
    }
