"""How right a model's masks are, on full frames, with the measures of Long, Shelhamer and Darrell 2015."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.records import over_classes
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Session
from fcn_edge.datasets import DatasetInfo, LabeledSample, LabeledSplit
from fcn_edge.errors import DatasetError
from fcn_edge.evaluation.grouping import grouped
from fcn_edge.metrics.confusion import ConfusionMatrix, Scores
from fcn_edge.text import listed

__all__ = ["Accuracy", "ClassMapping", "evaluate"]

NO_CLASS = 255
"""Beyond every class id: a prediction that no class of the data set stands for."""

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a model on a split.

    Attributes:
        scores: The four measures, over the classes of the data set that the labels show.
        per_class: Intersection over union by class of the model and the data set, in the model's order; None for a
            class that the data set lacks, or that no label shows.
        images: How many images were scored.
        seconds: Wall time, reading the images included.
        dataset: Name of the data set.
        split: Name of the split.
        rendered: Whether the images were rendered, so that no accuracy on real ones follows.
        size: ``(height, width)`` of the network's input.
    """

    scores: Scores
    per_class: dict[str, float | None]
    images: int
    seconds: float
    dataset: str
    split: str
    rendered: bool
    size: Size

    @property
    def over(self) -> str:
        """What follows a mean where it is not over all of the model's classes, such as `` over 10 of 11 classes``."""
        return over_classes(self.scores.classes_present, len(self.per_class))

    @property
    def absent(self) -> tuple[str, ...]:
        """The model's classes of which the labels have no pixel."""
        return tuple(name for name, value in self.per_class.items() if value is None)

    def to_json(self) -> dict[str, Any]:
        """The accuracy as plain values; shares are fractions of 1."""
        return {
            "miou": self.scores.mean_iou,
            "classes_present": self.scores.classes_present,
            "pixel_accuracy": self.scores.pixel_accuracy,
            "mean_accuracy": self.scores.mean_accuracy,
            "fw_iou": self.scores.fw_iou,
            "per_class": self.per_class,
            "images": self.images,
            "seconds": self.seconds,
            "dataset": self.dataset,
            "split": self.split,
            "rendered": self.rendered,
            "size": list(self.size),
        }


class ClassMapping:
    """A model's class ids in those of a data set, by name.

    Classes that the data set lacks become no class: where the model predicts one, it is wrong.

    Args:
        spec: The model.
        info: The data set.

    Raises:
        DatasetError: The data set has a class that the model does not know.
    """

    def __init__(self, spec: ModelSpec, info: DatasetInfo) -> None:
        unknown = [name for name in info.classes if name not in spec.classes]
        if unknown:
            raise DatasetError(
                f"The data set {info.name} has classes that the model does not know: {listed(unknown, 20)}. The "
                f"data set has {listed(info.classes, 20)}; the model has {listed(spec.classes, 20)}.",
                "Rename or merge the classes with fcn-edge data import, or choose a model for this data set.",
            )
        number = {name: index for index, name in enumerate(info.classes)}
        self._table = np.full(256, NO_CLASS, np.uint8)
        self._table[: len(spec.classes)] = [number.get(name, NO_CLASS) for name in spec.classes]
        self._identical = spec.classes == info.classes

    def __call__(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A model's mask in the class ids of the data set; 255 where that has no such class."""
        return mask if self._identical else self._table[mask]


def evaluate(session: Session, split: LabeledSplit, progress: Callable[[int, int], None] | None = None) -> Accuracy:
    """Score a model on a split, on full frames.

    The next image is read, or rendered, in a thread while the network works on the one before.

    Args:
        session: What makes a mask of an image; a ``Session`` of any backend.
        split: Images with labels.
        progress: Called with images done and images in all.

    Raises:
        DatasetError: The data set has a class that the model does not know, a damaged file, or no labeled pixel.
    """
    started = time.perf_counter()
    spec, info = session.spec, split.info
    mapping = ClassMapping(spec, info)
    matrix = ConfusionMatrix(len(info.classes))
    images = 0
    for pairs in grouped(_read_ahead(split), session.batch):
        masks = session.labels_batch([image for image, _ in pairs])
        for (_, labels), mask in zip(pairs, masks, strict=True):
            matrix.update(labels, mapping(mask))
        images += len(pairs)
        if progress is not None:
            progress(images, len(split))
    try:
        scores = matrix.compute()
    except ValueError as error:
        raise DatasetError(
            f"{info.name} {split.name} cannot be scored: {error}.",
            f"Check the labels with fcn-edge data check; void is {info.void}.",
        ) from error
    of_dataset = dict(zip(info.classes, scores.per_class, strict=True))
    return Accuracy(
        scores,
        {name: of_dataset.get(name) for name in spec.classes},
        images,
        time.perf_counter() - started,
        info.name,
        split.name,
        split.rendered,
        session.size,
    )


def _read_ahead(split: LabeledSplit) -> Iterator[Pair]:
    samples: Iterator[LabeledSample] = iter(split)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        coming: Future[Pair] | None = None
        for sample in samples:
            following = reader.submit(sample.pair)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()
