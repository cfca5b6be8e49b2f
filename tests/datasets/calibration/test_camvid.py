"""The manifest that the shipped models are calibrated with, against the data set itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets import split_of
from fcn_edge.datasets.calibration import calibration_set, overlap, read_manifest
from fcn_edge.errors import DatasetError
from fcn_edge.io.documents import read_document

MANIFEST = Path(__file__).resolve().parents[3] / "calibration" / "camvid-train-128.json"
CLASSES = LABEL_SETS["camvid"].classes


def test_it_lists_names_hashes_and_shares_and_no_more() -> None:
    content = read_document(MANIFEST, DatasetError, "")
    images = content["images"]
    assert len(images) == len({image["name"] for image in images}) == len({image["sha256"] for image in images}) == 128
    assert {key for image in images for key in image} == {"name", "sha256", "class_shares"}
    assert content["missing_classes"] == []
    assert tuple(content["classes"]) == CLASSES
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_manifest(MANIFEST)


def test_no_image_is_kept_beside_it() -> None:
    assert {path.suffix for path in MANIFEST.parent.iterdir()} <= {".json", ".md"}


def test_it_is_what_the_choice_gives(camvid: Path) -> None:
    listed = read_manifest(MANIFEST, camvid / "train")
    assert listed == calibration_set(camvid / "train", CLASSES, 128)


def test_none_of_val_is_in_it(camvid: Path) -> None:
    hashes = read_manifest(MANIFEST, camvid / "train").hashes
    assert overlap(hashes, split_of(camvid / "val")) == ()
    assert len(overlap(hashes, split_of(camvid / "train"))) == 128


def test_rare_classes_have_a_larger_share_than_in_the_whole(camvid: Path) -> None:
    whole = calibration_set(camvid / "train", CLASSES, 367).images
    chosen = read_manifest(MANIFEST, camvid / "train").images
    for name in ("pole", "sign", "fence", "pedestrian", "bicyclist"):
        shares = [
            sum((image.class_shares or {}).get(name, 0) for image in images) / len(images) for images in (chosen, whole)
        ]
        assert shares[0] > 1.3 * shares[1], name


def test_without_labels_every_drive_has_its_part(camvid: Path) -> None:
    """62 of the 367 images are of a drive at dusk; they are alike, so the farthest images are hardly ever theirs."""
    drives: Counter[str] = Counter()
    for seed in range(3):
        chosen = calibration_set(camvid / "train" / "images", CLASSES, 32, seed)
        drives.update(image.name[:6] for image in chosen.images)
    assert set(drives) == {"0001TP", "0006R0", "0016E5"}
    assert min(drives.values()) >= 8, "of 96 images; always taking the farthest gave 3"
