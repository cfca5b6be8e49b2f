"""Class names and colors in the ``meta`` of mmsegmentation's checkpoints.

Source: mmsegmentation 1.2.2, ``apis/inference.py``: ``dataset_meta`` with ``classes`` and ``palette`` (version 1), or
``CLASSES`` and ``PALETTE`` (version 0). Palettes are RGB; its data sets ignore label 255.
"""

from __future__ import annotations

from typing import Any

from fcn_edge.artifacts.label_sets import LabelSet, generated_palette
from fcn_edge.artifacts.names import shown

__all__ = ["labels_of"]

IGNORED = 255


def labels_of(meta: object, count: int) -> tuple[LabelSet | None, str]:
    """The labels that a checkpoint brings, and what its user should know of them.

    Args:
        meta: The checkpoint's field of that name.
        count: How many classes its network scores.

    Returns:
        None where it brings none, or some that do not fit the network.
    """
    found = meta.get("dataset_meta") if isinstance(meta, dict) else None
    found = found if isinstance(found, dict) else meta
    if not isinstance(found, dict):
        return None, ""
    names, palette = (found.get(key, found.get(key.upper())) for key in ("classes", "palette"))
    if not isinstance(names, list):
        return None, ""
    if len(names) != count or not all(isinstance(name, str) for name in names):
        return None, f"The checkpoint names {len(names)} classes and scores {count}: its names were not taken."
    classes = tuple(shown(name) or f"class {index}" for index, name in enumerate(names))
    if len(set(classes)) < count:
        return None, "Several classes of the checkpoint have the same name: its names were not taken."
    if not isinstance(palette, list) or len(palette) != count or not all(map(_is_color, palette)):
        return LabelSet("the checkpoint's", classes, generated_palette(count), IGNORED), ""
    colors = tuple((red, green, blue) for red, green, blue in palette)
    return LabelSet("the checkpoint's", classes, colors, IGNORED), ""


def _is_color(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value)
