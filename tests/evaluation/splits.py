"""Labeled images in memory, and sessions that read them."""

from __future__ import annotations

from collections.abc import Iterator
from threading import current_thread, main_thread

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import generated_palette
from fcn_edge.datasets import DatasetInfo
from fcn_edge.testing.engine import FakeSession, fake_spec

Mask = NDArray[np.uint8]


class Sample:
    """A sample that remembers which thread read it."""

    def __init__(self, name: str, labels: Mask, image: Mask) -> None:
        self.name, self._labels, self._image = name, labels, image
        self.read_in = main_thread()

    def image(self) -> Mask:
        return self._image

    def labels(self) -> Mask:
        return self._labels

    def pair(self) -> tuple[Mask, Mask]:
        self.read_in = current_thread()
        return self._image, self._labels


class Split:
    """Samples in memory; images show their labels as brightness, as ``brightness_scores`` reads them."""

    name = "val"
    rendered = False

    def __init__(self, masks: list[Mask], classes: tuple[str, ...], shown: tuple[str, ...] | None = None) -> None:
        self.info = DatasetInfo(name="tiny", classes=classes, void=255)
        of_model = shown or classes
        level = np.linspace(0, 255, len(of_model)).round()
        brightness = np.zeros(256, np.uint8)
        for index, name in enumerate(classes):
            if name in of_model:
                brightness[index] = level[of_model.index(name)]
        self.samples = [Sample(str(index), mask, np.dstack([brightness[mask]] * 3)) for index, mask in enumerate(masks)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


def blocks(ids: list[int]) -> Mask:
    """A 64x96 mask of 8x8 blocks, which stride 8 shows exactly in their middles."""
    return np.kron(np.resize(np.array(ids, np.uint8), (8, 12)), np.ones((8, 8), np.uint8))


def session_of(classes: tuple[str, ...], **changes: object) -> FakeSession:
    return FakeSession(fake_spec(classes=classes, palette=generated_palette(len(classes)), void=255, **changes))
