"""Training pairs: real ones and rendered ones, augmented, reproducible by seed, epoch and position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.rendered import RenderedSample
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.images import read_image
from fcn_edge.training.augment import Augmentation, View
from fcn_edge.training.mixing import paste_classes

__all__ = ["Extras", "TrainSet", "WithErrors", "warm_streets"]

RENDERED_SIZE = (360, 480)
RENDERED_STREETS = 64
RENDERED_FRAMES = 500


@dataclass(frozen=True)
class Extras:
    """What a training learns from besides labeled images.

    Attributes:
        teachers: Files of trained networks with the same classes, asked together (``training/teachers.py``).
        unlabeled: Image files of which only the teachers say what they show.
    """

    teachers: tuple[Path, ...] = ()
    unlabeled: tuple[Path, ...] = ()


class TrainSet(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """One epoch of augmented pairs.

    Item ``i`` depends on the seed, the epoch and ``i`` alone, so a run that was interrupted goes on with the same
    data whatever number of loader processes it has.

    Args:
        split: Real images with labels.
        rendered: How many rendered street scenes to add; they need CamVid's classes.
        unlabeled: Image files to add, with void for labels.
        augmentation: What is done to each pair.
        fill: BGR color beyond the edges of an image.
        mix: Share of the pairs onto which half of the classes of another pair are pasted.
        seed: Seed of everything random.
        epoch: Which epoch this is.
    """

    def __init__(
        self,
        split: LabeledSplit,
        *,
        rendered: int,
        unlabeled: Sequence[Path],
        augmentation: Augmentation,
        fill: tuple[int, int, int],
        seed: int,
        epoch: int,
        mix: float = 0.0,
    ) -> None:
        self.split = split
        self.rendered = rendered
        self.unlabeled = unlabeled
        self.augmentation = augmentation
        self.fill = fill
        self.mix = mix
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.split) + self.rendered + len(self.unlabeled)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """A pair, and where it is one.

        Returns:
            Image, ``(*crop, 3)`` uint8 BGR; labels, ``crop`` uint8 with the split's void; and, if the augmentation
            tells ``inside``, 1 where the image is and 0 beyond its edges, ``crop`` uint8, else nothing, ``(0, 0)``.
        """
        random = np.random.default_rng((self.seed, self.epoch, index))
        view = self._view(index, random)
        if self.mix and random.random() < self.mix:
            labeled = len(self.split) + self.rendered
            paste_classes(view, self._view(int(random.integers(labeled)), random), self.split.info.void, random)
        image, labels, inside = view
        return torch.from_numpy(image), torch.from_numpy(labels), torch.from_numpy(inside)

    def _view(self, index: int, random: np.random.Generator) -> View:
        """A pair as the augmentation shows it."""
        void = self.split.info.void
        if index < len(self.split):
            image, labels = self.split[index].pair()
        elif index < len(self.split) + self.rendered:
            image, labels = _rendered_pair(random, void)
        else:
            image = read_image(self.unlabeled[index - len(self.split) - self.rendered])
            labels = np.full(image.shape[:2], void, np.uint8)
        return self.augmentation(image, labels, random, fill=self.fill, void=void)


class WithErrors(Dataset[Any]):
    """The pairs of a data set, or the error in the place of a pair that cannot be read.

    A loader process that raises sends its traceback as text; an error that comes as an item arrives as it is.

    Args:
        pairs: What to read from.
    """

    def __init__(self, pairs: TrainSet) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor] | FcnEdgeError:
        """A pair, or the error that it gave."""
        try:
            return self.pairs[index]
        except FcnEdgeError as error:
            return error

    @staticmethod
    def batch(items: list[Any]) -> Any:
        """A micro-batch of pairs, or the first error among them."""
        return next((item for item in items if isinstance(item, FcnEdgeError)), None) or default_collate(items)


def _rendered_pair(random: np.random.Generator, void: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    seed = int(random.integers(RENDERED_STREETS))
    image, labels = _rendered_sample(seed, int(random.integers(RENDERED_FRAMES))).pair()
    labels[labels == LABEL_SETS["camvid"].void] = void
    return image, labels


def _rendered_sample(seed: int, frame: int) -> RenderedSample:
    return RenderedSample(f"street{seed}-{frame}", seed, frame, RENDERED_SIZE, RENDERED_FRAMES, fps=25.0)


def warm_streets() -> None:
    """Build every street of the rendered pairs in this process, for the loader processes that are forked from it."""
    for seed in range(RENDERED_STREETS):
        _rendered_sample(seed, 0).image()
