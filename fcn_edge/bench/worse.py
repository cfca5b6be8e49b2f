"""What became worse of a row besides its time: accuracy and memory."""

from __future__ import annotations

from collections.abc import Sequence

from fcn_edge.artifacts.records import AccuracyRecord, over_classes
from fcn_edge.bench.comparison import Regression
from fcn_edge.bench.result import Row

__all__ = ["accuracy_regressions", "images_of", "memory_regression"]


def images_of(accuracy: AccuracyRecord) -> tuple[str, str, bool, int]:
    """What an accuracy was measured on: data set, split, whether it was rendered, number of images."""
    return accuracy.dataset, accuracy.split, accuracy.rendered, accuracy.images


def accuracy_regressions(before: Row, after: Row, max_drop: float, max_class_drop: float) -> list[Regression]:
    """Drops of mIoU and of the IoU of classes; none where accuracy was not measured twice on the same images.

    Args:
        before: The earlier row.
        after: The later one.
        max_drop: mIoU that may be lost, as a fraction.
        max_class_drop: IoU that any one class may lose.
    """
    old, new = before.accuracy, after.accuracy
    if old is None or new is None or images_of(old) != images_of(new):
        return []
    found = []
    shared = [
        name for name, value in old.per_class.items() if value is not None and new.per_class.get(name) is not None
    ]
    one, other = _miou(old, shared), _miou(new, shared)
    if _more(one - other, max_drop):
        over = over_classes(len(shared), len(old.per_class))
        found.append(Regression(after.name, "accuracy", f"mIoU fell from {one:.1%} to {other:.1%}{over}"))
    for name, value in old.per_class.items():
        left = new.per_class.get(name)
        if value is not None and left is not None and _more(value - left, max_class_drop):
            found.append(Regression(after.name, "accuracy", f"IoU of {name} fell from {value:.1%} to {left:.1%}"))
    return found


def _miou(accuracy: AccuracyRecord, classes: Sequence[str]) -> float:
    """The mean over some classes, so that a class which one of two runs lacks is no change."""
    values = [value for name, value in accuracy.per_class.items() if value is not None]
    if len(values) == len(classes) or not classes:
        return accuracy.miou
    return sum(accuracy.per_class[name] or 0.0 for name in classes) / len(classes)


def memory_regression(before: Row, after: Row, max_growth: float) -> list[Regression]:
    """Growth of the memory that a process holds; none where the two runs did not both measure it.

    Args:
        before: The earlier row.
        after: The later one.
        max_growth: Share by which it may grow.
    """
    old, new = before.memory_mb, after.memory_mb
    if old is None or new is None or not before.state == after.state == "measured" or new <= old * (1 + max_growth):
        return []
    return [Regression(after.name, "memory", f"memory grew from {old:.0f} to {new:.0f} MB")]


def _more(drop: float, allowed: float) -> bool:
    return drop > allowed + 1e-9  # a drop of exactly what is allowed is allowed, whatever binary fractions make of it
