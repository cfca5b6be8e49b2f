"""Classes of one training crop pasted onto another, so that they are seen in other places, lights and neighborhoods.

Source: Olsson et al. 2021, "ClassMix: Segmentation-Based Data Augmentation for Semi-Supervised Learning", here with
the labels of both.
"""

from __future__ import annotations

import numpy as np

from fcn_edge.training.augment import View

__all__ = ["paste_classes"]


def paste_classes(view: View, other: View, void: int, random: np.random.Generator) -> None:
    """Paste the pixels of half of the classes of one view onto another, in place.

    Args:
        view: What is pasted onto.
        other: What is pasted from, of the same size.
        void: Label that is no class, and stays behind.
        random: Where the draw comes from.
    """
    classes = np.flatnonzero(np.bincount(other[1].ravel(), minlength=256))
    classes = classes[classes != void]
    if not len(classes):
        return
    pasted = np.isin(other[1], random.choice(classes, max(1, len(classes) // 2), replace=False))
    for onto, of in zip(view, other, strict=True):
        if onto.size:
            onto[pasted] = of[pasted]
