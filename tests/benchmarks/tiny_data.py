"""A data set of a few rendered frames, for trainings that are over at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.io.images import write_png
from fcn_edge.street import Street


def write_tiny(root: Path, splits: Mapping[str, Sequence[str]]) -> Path:
    """Write frames of 32x64 under the names of each split; returns the root."""
    for split, names in splits.items():
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for seed, name in enumerate(names):
            image, labels = Street(seed=seed, size=(32, 64), frames=1).frame(0)
            write_png(root / split / f"images/{name}.png", image)
            write_png(root / split / f"labels/{name}.png", labels)
    classes = json.dumps(list(LABEL_SETS["camvid"].classes))
    (root / "dataset.toml").write_text(f'name = "tiny"\nclasses = {classes}\nvoid = 11\n')
    return root
