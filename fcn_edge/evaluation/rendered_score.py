"""How well masks agree with the labels that a rendered source brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.metrics.confusion import ConfusionMatrix, Scores
from fcn_edge.runtime.events import Event, FrameDone, Started
from fcn_edge.runtime.result import Result

__all__ = ["RenderedScore", "RenderedScoring"]

FEWEST_CLASSES = 2


class RenderedScore:
    """Mean intersection over union on rendered frames, over the classes that source and model both name.

    It says whether a run works. It says nothing of real frames.

    Args:
        rendered: Class names of the source's labels.
        predicted: Class names of the model.
    """

    def __init__(self, rendered: Sequence[str], predicted: Sequence[str]) -> None:
        self._shared = [name for name in rendered if name in set(predicted)]
        self._true = _renumbered(rendered, self._shared)
        self._predicted = _renumbered(predicted, self._shared)
        self._counts = ConfusionMatrix(len(self._shared)) if len(self._shared) >= FEWEST_CLASSES else None

    def update(self, result: Result) -> None:
        """Count one frame; one without labels counts nothing."""
        if self._counts is not None and result.frame.labels is not None:
            self._counts.update(self._true[result.frame.labels], self._predicted[result.labels])

    @property
    def scores(self) -> Scores | None:
        """The measures over the classes of both; None where no pixel could be scored."""
        if self._counts is None or not (self._counts.counts.any() or self._counts.missed.any()):
            return None
        return self._counts.compute()


class RenderedScoring:
    """Listens to a run and scores the frames of a rendered source."""

    def __init__(self) -> None:
        self._score: RenderedScore | None = None

    def __call__(self, event: Event) -> None:
        """Take what a run tells."""
        if isinstance(event, Started):
            self._score = RenderedScore(event.sources[0].classes, event.spec.classes)
        elif isinstance(event, FrameDone) and self._score is not None:
            self._score.update(event.result)

    @property
    def scores(self) -> Scores | None:
        """The measures over the classes of both; None where no pixel could be scored."""
        return None if self._score is None else self._score.scores

    def to_json(self) -> dict[str, Any]:
        """The score as plain values: ``rendered_miou``, how many classes it is over, and how many it could be over.

        Nothing where no pixel could be scored.
        """
        scores = self.scores
        if scores is None:
            return {}
        return {
            "rendered_miou": round(scores.mean_iou, 6),
            "rendered_classes_present": scores.classes_present,
            "rendered_classes": len(scores.per_class),
        }


def _renumbered(names: Sequence[str], shared: Sequence[str]) -> NDArray[np.uint8]:
    """A table from the ids of ``names`` to positions in ``shared``; 255 for all that is not shared."""
    table = np.full(256, 255, np.uint8)
    for index, name in enumerate(names):
        if name in shared:
            table[index] = shared.index(name)
    return table
