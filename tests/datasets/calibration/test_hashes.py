from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.datasets import Split, split_of
from fcn_edge.datasets.calibration import calibration_set, overlap
from fcn_edge.datasets.calibration.hashes import file_sha256, pixel_sha256
from fcn_edge.errors import DatasetError
from fcn_edge.street import Street

from .scenes import CLASSES, scene

MakeScenes = Callable[..., Path]
SHARES = [{"road": 0.6, "sky": 0.4}] * 4


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a.jpg") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(DatasetError, match=r"b\.jpg cannot be read: No such file"):
        file_sha256(tmp_path / "b.jpg")


def test_pixels_count_with_their_shape() -> None:
    image = scene(0, (32, 48))
    assert pixel_sha256(image) == pixel_sha256(image.copy())
    assert pixel_sha256(image) == pixel_sha256(np.asfortranarray(image))
    assert pixel_sha256(image) != pixel_sha256(image.reshape(48, 32, 3))
    changed = image.copy()
    changed[3, 4, 1] ^= 1
    assert pixel_sha256(image) != pixel_sha256(changed)


def test_overlap_finds_the_same_files_under_other_names(make_labeled: MakeScenes) -> None:
    train = make_labeled(SHARES)
    val = train.with_name("val")
    shutil.copytree(train, val)
    for kind in ("images", "labels"):
        (val / kind / "001.png").rename(val / kind / "moved.png")
        (val / kind / "003.png").unlink()
    (val / "images" / "000.png").write_bytes((val / "images" / "000.png").read_bytes() + b"\n")
    hashes = calibration_set(train, CLASSES, 4).hashes
    moves: list[tuple[int, int]] = []
    assert overlap(hashes, Split(val), lambda done, total: moves.append((done, total))) == ("002", "moved")
    assert moves == [(1, 3), (2, 3), (3, 3)]
    assert overlap((), Split(val)) == ()
    assert overlap(["0" * 64], Split(val)) == ()


def test_overlap_of_rendered_scenes() -> None:
    address = "synthetic://street?seed=5&frames=4&size=32x48"
    chosen = calibration_set(address, Street.classes, 4)
    assert overlap(chosen.hashes, split_of(address)) == ()
    same = split_of(chosen.images[0].name.partition("#")[0])
    number = int(chosen.images[0].name.partition("#")[2])
    assert same[number].name in overlap(chosen.hashes, same)
