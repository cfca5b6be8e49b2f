"""Which of a model's classes the chosen images show, and how much of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fcn_edge.datasets.calibration.sets import CalibrationImage
from fcn_edge.datasets.check import RARE
from fcn_edge.text import listed

__all__ = ["SHOWN", "coverage_notes", "missing_classes"]

SHOWN = 0.0005
"""Share of an image's pixels from which it shows a class. Of a network input of 384x480 that is 92 pixels, somewhat
more than one cell of the finest scores (8x8): less is never scored but mixed with its surroundings. A share, as images
are scaled to the network."""


def missing_classes(
    images: Sequence[CalibrationImage], classes: Sequence[str] | None, model_classes: Sequence[str]
) -> tuple[str, ...]:
    """The model's classes that no image shows, in the model's order; none where nothing is known of them.

    That is where there are no labels, and where the data set names none of the model's classes.
    """
    if classes is None or not set(classes) & set(model_classes):
        return ()
    shown = {name for image in images for name, share in (image.class_shares or {}).items() if share >= SHOWN}
    return tuple(name for name in model_classes if name not in shown)


def coverage_notes(
    images: Sequence[CalibrationImage], classes: Sequence[str] | None, model_classes: Sequence[str]
) -> list[str]:
    """What the user should know of the classes in the chosen images, a sentence each.

    Args:
        images: The chosen ones.
        classes: The data set's classes; None without labels.
        model_classes: The model's.
    """
    if classes is None:
        return ["The images have no labels, so it is not known whether they show every class."]
    if not set(classes) & set(model_classes):
        return [
            f"The data set names none of the model's classes: it has {listed(classes)}, and the model has "
            f"{listed(model_classes)}. It is not known whether the images show every class, and they were chosen by "
            "what they look like. Give the classes the model's names with fcn-edge data import."
        ]
    notes = []
    missing = missing_classes(images, classes, model_classes)
    unknown = [name for name in missing if name not in classes]
    unseen = [name for name in missing if name in classes]
    if unknown:
        notes.append(f"The data set has no class {listed(unknown)}.")
    if unseen:
        notes.append(f"No image shows {listed(unseen)}: {SHOWN:.2%} of an image's pixels or more were expected.")
    pixels: Counter[str] = Counter()
    for image in images:
        pixels.update(image.class_shares or {})
    labeled = sum(pixels.values())
    notes.extend(
        f"{name} has few pixels: {pixels[name] / labeled:.3%} of the labeled ones."
        for name in model_classes
        if name not in missing and pixels[name] < RARE * labeled
    )
    return notes
