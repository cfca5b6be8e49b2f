from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.datasets import Split, split_of
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.datasets.halves import halves_of
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import write_png

MakeSplit = Callable[..., Path]


def add_image(split: Path) -> None:
    for kind in ("images", "labels"):
        (split / kind / "more.png").write_bytes((split / kind / "frame0.png").read_bytes())


def rename_image(split: Path) -> None:
    for kind in ("images", "labels"):
        (split / kind / "frame0.png").rename(split / kind / "first.png")


def blank_labels(split: Path) -> None:
    write_png(split / "labels/frame1.png", np.zeros((8, 12), np.uint8))


def reorder_classes(split: Path) -> None:
    toml = split.parent / "dataset.toml"
    toml.write_text(toml.read_text().replace('"road", "sky"', '"sky", "road"'))


@pytest.mark.parametrize("change", [add_image, rename_image, blank_labels, reorder_classes])
def test_another_split_has_another_fingerprint(make_split: MakeSplit, change: Callable[[Path], None]) -> None:
    split = make_split()
    before = fingerprint_of(Split(split))
    assert before == fingerprint_of(Split(split))
    change(split)
    assert fingerprint_of(Split(split)) != before


def test_split_may_be_moved(make_split: MakeSplit, tmp_path: Path) -> None:
    split = make_split()
    before = fingerprint_of(Split(split))
    split.parent.rename(tmp_path / "elsewhere")
    assert fingerprint_of(Split(tmp_path / "elsewhere" / split.name)) == before


def test_halves_differ(make_split: MakeSplit) -> None:
    whole = Split(make_split(images=10))
    assert len({fingerprint_of(split) for split in (whole, *halves_of(whole))}) == 3


def test_rendered_scenes_differ_by_their_address() -> None:
    addresses = [f"synthetic://street?{query}" for query in ("frames=3", "frames=4", "frames=3&size=64x64", "seed=1")]
    assert len({fingerprint_of(split_of(address)) for address in addresses}) == 4


def test_file_that_vanished_is_a_dataset_error(make_split: MakeSplit) -> None:
    split = Split(make_split())
    split[1].label_path.unlink()
    with pytest.raises(DatasetError, match=r"frame1\.png cannot be read"):
        fingerprint_of(split)
