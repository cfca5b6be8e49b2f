"""Pieces of labeled images where a finer decoder is right and a coarser one is not."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.bench.engines import ReadyEngine
from fcn_edge.bench.result import Example
from fcn_edge.datasets import LabeledSample, LabeledSplit
from fcn_edge.evaluation.accuracy import ClassMapping
from fcn_edge.io.opencv import cv2
from fcn_edge.ops.overlay import colored, palette_bgr
from fcn_edge.runtime.segmenter import Segmenter, load
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
    with owned_thread_pools(), ExitStack() as opened:
        networks = {
            name: opened.enter_context(load(engine.path, device=engine.device(device)))
            for name, engine in ladder.items()
        }
        mapping = ClassMapping(specs[0], split.info)
        best: list[_Piece] = []
        for sample in split:  # one image at a time: a split may hold more than fits into memory
            piece = _best_piece(sample, networks, mapping, split.info.void)
            if piece.gained > LEAST_SHARE:
                best = _of_use([*best, piece], count)
    return tuple(_example(piece, split, specs[0]) for piece in best[:count])


@dataclass(frozen=True)
class _Piece:
    """A piece of an image.

    Attributes:
        name: Name of the image.
        image: ``(h, w, 3)`` uint8 BGR.
        truth: Its labels, ``(h, w)`` uint8.
        masks: The masks there by decoder, alike.
        score: Gained pixels, each weighed by how rare its class is in the image.
        gained: Share of its labeled pixels that are gained, less those that are lost.
        label: The class that gains most.
    """

    name: str
    image: Mask
    truth: Mask
    masks: dict[str, Mask]
    score: float
    gained: float
    label: int


def _of_use(pieces: Sequence[_Piece], count: int) -> list[_Piece]:
    """Pieces that may be shown yet, those to show first: the best of each class, then the best of all."""
    best = sorted(pieces, key=lambda piece: -piece.score)
    firsts = {piece.label: piece for piece in reversed(best)}
    others = [piece for piece in best if firsts[piece.label] is not piece]
    return [*sorted(firsts.values(), key=lambda piece: -piece.score), *others[:count]]


def _best_piece(sample: LabeledSample, networks: Mapping[str, Segmenter], mapping: ClassMapping, void: int) -> _Piece:
    image, truth = sample.pair()
    masks = {name: mapping(one.session.labels(image)) for name, one in networks.items()}
    labeled = truth != void
    gain = ((masks[FINE] == truth).astype(np.float32) - (masks[COARSE] == truth)) * labeled
    counts = np.bincount(truth.ravel(), minlength=256)
    weighted = gain / np.sqrt(np.maximum(counts, 1))[truth].astype(np.float32)
    side = max(32, min(truth.shape) // 3)
    sums = cv2().boxFilter(weighted, -1, (side, side), anchor=(0, 0), normalize=False, borderType=cv2().BORDER_CONSTANT)
    inside = sums[: truth.shape[0] - side + 1, : truth.shape[1] - side + 1]
    top, left = (int(place) for place in np.unravel_index(int(np.argmax(inside)), inside.shape))
    cut = slice(top, top + side), slice(left, left + side)
    by_class = np.bincount(truth[cut].ravel(), weights=gain[cut].ravel(), minlength=256)
    return _Piece(
        name=sample.name,
        image=image[cut].copy(),
        truth=truth[cut].copy(),
        masks={name: mask[cut].copy() for name, mask in masks.items()},
        score=float(inside[top, left]),
        gained=float(gain[cut].sum()) / max(1, int(labeled[cut].sum())),
        label=int(np.argmax(by_class)),
    )


def _example(piece: _Piece, split: LabeledSplit, spec: ModelSpec) -> Example:
    palette, labeled = palette_bgr(spec.palette), piece.truth != split.info.void
    shares = {name: round(float((mask == piece.truth)[labeled].mean()), 4) for name, mask in piece.masks.items()}
    where = "rendered scene" if split.rendered else f"{split.info.name} {split.name}"
    return Example(
        title=f"{split.info.classes[piece.label]}: FCN-8s has {shares[FINE]:.0%} of the pixels right, "
        f"FCN-32s {shares[COARSE]:.0%}",
        source=f"{where} {piece.name}",
        image=_png(piece.image),
        truth=_png(colored(piece.truth, palette)),
        masks={name: _png(colored(mask, palette)) for name, mask in piece.masks.items()},
        shares=shares,
    )


def _png(image: Mask) -> str:
    return base64.b64encode(cv2().imencode(".png", image)[1].tobytes()).decode("ascii")
