"""Pieces of labeled images where a finer decoder is right and a coarser one is not."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.bench.engines import ReadyEngine
from fcn_edge.bench.result import Example
from fcn_edge.datasets import LabeledSplit
from fcn_edge.evaluation.accuracy import ClassMapping
from fcn_edge.io.opencv import cv2
from fcn_edge.ops.overlay import colored, palette_bgr
from fcn_edge.runtime.segmenter import load
from fcn_edge.system.thread_pools import owned_thread_pools

__all__ = ["examples_of", "ladder_of"]

COARSE, FINE = "fcn32s", "fcn8s"
LEAST_SHARE = 0.05
"""How many more of a piece's labeled pixels the finer decoder must have right, for it to be worth a picture."""

Mask = NDArray[np.uint8]


def ladder_of(engines: Mapping[str, ReadyEngine]) -> dict[str, ReadyEngine]:
    """Engines that differ in their decoder alone, by decoder: FP32, the largest size at which there are most.

    Args:
        engines: All engines of a run.

    Returns:
        FCN-8s, FCN-32s and what lies between; empty where there are not both.
    """
    groups: dict[tuple[str, str, tuple[int, int]], dict[str, ReadyEngine]] = {}
    for engine in engines.values():
        spec, size = engine.manifest.spec, engine.manifest.size
        if engine.manifest.precision == "fp32":
            groups.setdefault((spec.encoder, engine.manifest.backend, size), {}).setdefault(spec.decoder, engine)
    ladders = [(group, key[2]) for key, group in groups.items() if {COARSE, FINE} <= set(group)]
    if not ladders:
        return {}
    ladder, _ = max(ladders, key=lambda found: (len(found[0]), found[1][0] * found[1][1]))
    return ladder


def examples_of(
    ladder: Mapping[str, ReadyEngine], split: LabeledSplit, *, count: int = 3, device: int = 0
) -> tuple[Example, ...]:
    """The pieces of a split's images where FCN-8s gains most over FCN-32s.

    One comes from each image at most, of different classes as far as there are such. A pixel that is gained weighs more
    the rarer its class is in the image: poles count, and not only the road's edge.

    Args:
        ladder: Engines by decoder, whose classes are those of the split.
        split: Labeled images.
        count: How many pieces at most.
        device: Index of the GPU.

    Raises:
        DatasetError: The images are damaged, or of classes that the models do not know.
    """
    specs = [engine.manifest.spec for engine in ladder.values()]
    if any(spec.classes != split.info.classes for spec in specs):
        return ()
    images, truths = zip(*(sample.pair() for sample in split), strict=True)
    with owned_thread_pools():
        masks = {name: _masks(engine, split, images, device) for name, engine in ladder.items()}
    found = [
        _best_piece(index, truths[index], masks[COARSE][index], masks[FINE][index], split.info.void)
        for index in range(len(images))
    ]
    best = sorted((piece for piece in found if piece.gained > LEAST_SHARE), key=lambda piece: -piece.score)
    firsts = {piece.label: piece for piece in reversed(best)}
    chosen = sorted(best, key=lambda piece: firsts[piece.label] is not piece)[:count]
    return tuple(
        _example(piece, images, truths, {name: mask[piece.image] for name, mask in masks.items()}, split, specs[0])
        for piece in chosen
    )


@dataclass(frozen=True)
class _Piece:
    """A piece of an image.

    Attributes:
        image: Which image.
        rows: Its rows.
        columns: Its columns.
        score: Gained pixels, each weighed by how rare its class is.
        gained: Share of its labeled pixels that are gained, less those that are lost.
        label: The class that gains most.
    """

    image: int
    rows: slice
    columns: slice
    score: float
    gained: float
    label: int


def _masks(engine: ReadyEngine, split: LabeledSplit, images: Sequence[Mask], device: int) -> list[Mask]:
    with load(engine.path, device=engine.device(device)) as segmenter:
        mapping = ClassMapping(segmenter.spec, split.info)
        return [mapping(segmenter.session.labels(image)) for image in images]


def _best_piece(index: int, truth: Mask, coarse: Mask, fine: Mask, void: int) -> _Piece:
    labeled = truth != void
    gain = ((fine == truth).astype(np.float32) - (coarse == truth)) * labeled
    counts = np.bincount(truth.ravel(), minlength=256)
    weighted = gain / np.sqrt(np.maximum(counts, 1))[truth].astype(np.float32)
    side = max(32, min(truth.shape) // 3)
    sums = cv2().boxFilter(weighted, -1, (side, side), anchor=(0, 0), normalize=False, borderType=cv2().BORDER_CONSTANT)
    inside = sums[: truth.shape[0] - side + 1, : truth.shape[1] - side + 1]
    top, left = (int(place) for place in np.unravel_index(int(np.argmax(inside)), inside.shape))
    rows, columns = slice(top, top + side), slice(left, left + side)
    part, here = gain[rows, columns], truth[rows, columns]
    by_class = np.bincount(here.ravel(), weights=part.ravel(), minlength=256)
    known = max(1, int(labeled[rows, columns].sum()))
    return _Piece(index, rows, columns, float(inside[top, left]), float(part.sum()) / known, int(np.argmax(by_class)))


def _example(
    piece: _Piece,
    images: Sequence[Mask],
    truths: Sequence[Mask],
    masks: Mapping[str, Mask],
    split: LabeledSplit,
    spec: ModelSpec,
) -> Example:
    cut, palette = (piece.rows, piece.columns), palette_bgr(spec.palette)
    truth = truths[piece.image][cut]
    labeled = truth != split.info.void
    shares = {name: round(float((mask[cut] == truth)[labeled].mean()), 4) for name, mask in masks.items()}
    where = "rendered scene" if split.rendered else f"{split.info.name} {split.name}"
    return Example(
        title=f"{split.info.classes[piece.label]}: FCN-8s has {shares[FINE]:.0%} of the pixels right, "
        f"FCN-32s {shares[COARSE]:.0%}",
        source=f"{where} {split[piece.image].name}",
        image=_png(images[piece.image][cut]),
        truth=_png(colored(truth, palette)),
        masks={name: _png(colored(mask[cut], palette)) for name, mask in masks.items()},
        shares=shares,
    )


def _png(image: Mask) -> str:
    return base64.b64encode(cv2().imencode(".png", image)[1].tobytes()).decode("ascii")
