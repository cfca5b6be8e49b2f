"""Whether an engine is as right as the float network it was made from: on labeled images, or on rendered scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.base import Session
from fcn_edge.datasets import LabeledSplit
from fcn_edge.evaluation.accuracy import Accuracy, evaluate
from fcn_edge.evaluation.grouping import masks_of
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.metrics.likeness import likeness_of

__all__ = ["Guard", "LabeledGuard", "LabeledScore", "RenderedGuard", "Verdict"]

LEAST_LIKENESS = 0.93
"""Likeness (``metrics/likeness.py``) of an engine's masks to the float network's own on rendered scenes.

Sound INT8 engines of FCNs on MobileNetV2 and ResNet-50 had 0.948 to 0.971; ones whose arithmetic saturated (OpenVINO
kept to AVX2), 0.79 to 0.84.
"""

_LEAST = 1e-4
"""Stands for a limit of nothing where losses are measured in shares of it."""


@dataclass(frozen=True)
class Verdict:
    """What a guard found.

    Attributes:
        holds: The engine may be kept.
        drop: How much mIoU it loses against the float network, as a fraction of 1; negative when it gains.
        worst_class: The class that loses most; empty where none does, or classes were not compared.
        worst_drop: How much IoU that class loses; 0 where none does.
        sentence: All of it for people.
        accuracy: Accuracy on labeled images; None on rendered scenes.
        excess: What it loses in shares of what is allowed, by mIoU or by the worst class, whichever is more: above 1 it
            does not hold. To compare candidates by; 0 on rendered scenes.
    """

    holds: bool
    drop: float
    worst_class: str
    worst_drop: float
    sentence: str
    accuracy: Accuracy | None = None
    excess: float = 0.0


class Guard(Protocol):
    """Judges engines of one network."""

    def judge(self, session: Session) -> Verdict:
        """What an engine's session is worth beside the float network.

        Raises:
            ModelError: The engine gives NaN or infinity.
        """


class LabeledGuard:
    """Judges by mIoU and by every class's IU on labeled images.

    Args:
        split: The images.
        reference: The float network's session.
        max_drop: mIoU that may be lost, as a fraction of 1.
        max_class_drop: IU that any class may lose.
    """

    def __init__(self, split: LabeledSplit, reference: Session, max_drop: float, max_class_drop: float) -> None:
        self.split, self.max_drop, self.max_class_drop = split, max_drop, max_class_drop
        self.reference = evaluate(reference, split)

    def judge(self, session: Session) -> Verdict:
        """The verdict on an engine."""
        accuracy = evaluate(session, self.split)
        drop = self.reference.scores.mean_iou - accuracy.scores.mean_iou
        losses = {
            name: before - (accuracy.per_class[name] or 0.0)
            for name, before in self.reference.per_class.items()
            if before is not None
        }
        worst = max(losses, key=losses.__getitem__)
        worst_drop = max(0.0, losses[worst])
        holds = drop <= self.max_drop and worst_drop <= self.max_class_drop
        of_classes = f"worst class {worst} {_points(-worst_drop)}" if worst_drop else "no class loses any"
        sentence = (
            f"{_score(accuracy)} beside {self.reference.scores.mean_iou:.2%} of fp32 ({_points(-drop)}; "
            f"{_limit(self.max_drop)} allowed), {of_classes} ({_limit(self.max_class_drop)} allowed)"
        )
        excess = max(drop / max(self.max_drop, _LEAST), worst_drop / max(self.max_class_drop, _LEAST))
        return Verdict(holds, drop, worst if worst_drop else "", worst_drop, sentence, accuracy, excess)


class LabeledScore:
    """Scores an engine on labeled images where the float network is not at hand; everything holds.

    Args:
        split: The images.
    """

    def __init__(self, split: LabeledSplit) -> None:
        self.split = split

    def judge(self, session: Session) -> Verdict:
        """The score of an engine."""
        accuracy = evaluate(session, self.split)
        return Verdict(True, 0.0, "", 0.0, f"{_score(accuracy)}; the fp32 to compare it with is not at hand", accuracy)


class RenderedGuard:
    """Judges by how like the float network's masks an engine's are, on rendered scenes; needs no labels.

    It finds engines that are broken, such as ones that saturate, and not a loss of a point.

    Args:
        frames: ``(H, W, 3)`` uint8 BGR.
        reference: The float network's session.
    """

    def __init__(self, frames: Sequence[NDArray[np.uint8]], reference: Session) -> None:
        self.frames = frames
        self.masks = [reference.labels(frame) for frame in frames]

    def judge(self, session: Session) -> Verdict:
        """The verdict on an engine."""
        matrix = ConfusionMatrix(len(session.spec.classes))
        same = 0.0
        for mask, labels in zip(self.masks, masks_of(session, self.frames), strict=True):
            matrix.update(mask, labels)
            same += float(np.mean(mask == labels)) / len(self.frames)
        found = likeness_of(matrix)
        likeness = same if found is None else found.mean_iou
        of_masks = ", no class of which it finds"
        if found is not None:
            of_masks = f", mean IU of the two masks {likeness:.1%}{found.remark}"
        sentence = (
            f"{len(self.frames)} rendered scenes: {same:.1%} of the pixels as fp32 has them{of_masks} "
            f"({LEAST_LIKENESS:.0%} expected)"
        )
        return Verdict(likeness >= LEAST_LIKENESS, 1 - likeness, "", 0.0, sentence)


def _score(accuracy: Accuracy) -> str:
    images = f"{accuracy.dataset} {accuracy.split}, {accuracy.images} images"
    return f"{images}: mIoU {accuracy.scores.mean_iou:.2%}{accuracy.over}"


def _points(share: float) -> str:
    points = round(100 * share, 1) + 0.0  # no negative zero
    return f"{points:+.1f} points"


def _limit(share: float) -> str:
    """A limit with as many decimals as it was given with, one at least."""
    points = 100 * share
    decimals = next((count for count in range(1, 6) if abs(points - round(points, count)) < 1e-9), 6)
    return f"{points:.{decimals}f} points"
