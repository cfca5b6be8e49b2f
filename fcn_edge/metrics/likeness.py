"""How like the masks of a network are those of the float network that it was made from."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.metrics.confusion import ConfusionMatrix

__all__ = ["RARE", "Likeness", "likeness_of"]

RARE = 0.01
"""Share of the float network's pixels below which a class is rare.

A class that is found in a few places only consists of edges, which any rounding moves: of sound INT8 engines of a
ResNet-50 on rendered scenes, which it had never seen, the rarest classes had 0.62 to 0.88.
"""


@dataclass(frozen=True)
class Likeness:
    """How like masks are.

    Attributes:
        mean_iou: Mean IU over the classes, fraction of 1; rare ones together count as one class, whose IU is the sum of
            their intersections over the sum of their unions, and not at all where they are rare together too.
        remark: What to say of rare classes behind the number; empty where there are none.
    """

    mean_iou: float
    remark: str = ""


def likeness_of(matrix: ConfusionMatrix) -> Likeness | None:
    """The likeness of masks; None where the float network finds no class anywhere.

    Args:
        matrix: Counts of pixels by what the float network says (true) and what the other one does (predicted).
    """
    right = matrix.counts.diagonal()
    true = matrix.counts.sum(axis=1) + matrix.missed
    union = true + matrix.counts.sum(axis=0) - right
    total = true.sum()
    if total == 0:
        return None
    often = true >= RARE * total
    rare = (true > 0) & ~often
    found = list(right[often] / union[often])
    together = bool(rare.any()) and (not found or true[rare].sum() >= RARE * total)
    if together:
        found.append(right[rare].sum() / union[rare].sum())
    count = f"{rare.sum()} rare {'classes' if rare.sum() > 1 else 'class'}"
    remark = "" if not rare.any() else f", {count} taken together" if together else f", without {count}"
    return Likeness(float(sum(found) / len(found)), remark)
