"""Snapshots, masks and the JPEGs of the fallback."""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.serve.pictures import Kind, SourcePictures


class Counting(Overlays):
    """Counts the overlays that are drawn."""

    def __init__(self) -> None:
        super().__init__(0.5)
        self.drawn = 0

    @override
    def __call__(self, result: Result) -> NDArray[np.uint8]:
        self.drawn += 1
        return super().__call__(result)


def decoded(data: bytes) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return image


@pytest.mark.parametrize("kind", ["overlay", "camera", "mask"])
def test_there_is_none_before_the_first_result(kind: Kind) -> None:
    assert SourcePictures(Overlays()).picture(kind) is None


def test_each_kind_shows_the_newest_result(make_result: Callable[..., Result]) -> None:
    pictures = SourcePictures(Overlays(0.5))
    pictures.put(make_result(1))
    result = make_result(9)
    pictures.put(result)
    found = {kind: pictures.picture(kind) for kind in ("overlay", "camera", "mask")}
    images = {kind: decoded(picture.data) for kind, picture in found.items() if picture}
    assert np.array_equal(images["mask"], result.labels)
    assert np.abs(images["camera"].astype(int) - 90).max() <= 3
    assert np.abs(images["overlay"].astype(int) - result.overlay(0.5)).mean() < 3


def test_a_picture_is_encoded_once_for_all_who_ask(make_result: Callable[..., Result]) -> None:
    overlays = Counting()
    pictures = SourcePictures(overlays)
    pictures.put(make_result(1))
    assert overlays.drawn == 0
    asked = [threading.Thread(target=pictures.picture, args=["overlay"]) for _ in range(8)]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    assert overlays.drawn == 1
    pictures.put(make_result(2))
    assert pictures.picture("overlay") is pictures.picture("overlay")
    assert overlays.drawn == 2


def test_while_the_camera_is_away_the_picture_says_so_and_the_mask_stays(make_result: Callable[..., Result]) -> None:
    pictures = SourcePictures(Overlays())
    result = make_result(9)
    pictures.put(result)
    before = pictures.picture("camera")
    pictures.heard(SourceChanged("drive.mp4", "lost"))
    away, mask = pictures.picture("camera"), pictures.picture("mask")
    assert before is not None
    assert away is not None
    assert mask is not None
    assert away.data != before.data
    assert decoded(away.data).mean() < 0.7 * decoded(before.data).mean()
    assert np.array_equal(decoded(mask.data), result.labels)
    pictures.heard(SourceChanged("drive.mp4", "live"))
    again = pictures.picture("camera")
    assert again is not None
    assert np.array_equal(decoded(again.data), decoded(before.data))
