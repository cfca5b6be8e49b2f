"""Which rows stand where, and what must be said of single ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fcn_edge.bench.report.confidence import confidence_of
from fcn_edge.bench.report.labels import data_of, images_of, measured
from fcn_edge.bench.result import Row

__all__ = ["Notes"]

WIDE = (
    "Not steady: the interval of the row's median is wider than the suite allows. The percentage is its width as a "
    "share of the median."
)


@dataclass
class Notes:
    """Rows by the table that they stand in, and numbered sentences on those that are not simply measured.

    Attributes:
        rows: All rows of a result.
        masks: Those that were timed from frame to mask.
        scores: Those that were timed from frame to class scores.
        missing: Those without times.
        sentences: Number and sentence of each note.
        numbers: Numbers of a row's notes by its name.
        marks: Words and numbers that mark a row, by its name, such as ``not steady (10.5%), note 1``.
    """

    rows: Sequence[Row]
    masks: list[Row] = field(init=False)
    scores: list[Row] = field(init=False)
    missing: list[Row] = field(init=False)
    sentences: list[tuple[int, str]] = field(init=False, default_factory=list)
    numbers: dict[str, list[int]] = field(init=False, default_factory=dict)
    marks: dict[str, str] = field(init=False, default_factory=dict)
    _scored_alike: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        self.masks = measured(self.rows)
        self.scores = measured(self.rows, "scores")
        self.missing = [row for row in self.rows if row.end_to_end_ms is None]
        self._scored_alike = len({data_of(row) for row in self.masks if row.accuracy}) < 2
        for row in (*self.masks, *self.scores):
            words = self._words(row)
            if row.name in self.numbers:
                numbers = ", ".join(str(one) for one in self.numbers[row.name])
                noun = "note" if len(self.numbers[row.name]) == 1 else "notes"
                self.marks[row.name] = ", ".join([*words, f"{noun} {numbers}"])

    @property
    def on_intervals(self) -> str:
        """With which confidence the intervals hold; empty where there are none."""
        return confidence_of([*self.masks, *self.scores])

    @property
    def on_images(self) -> str:
        """On which images the rows were scored, or that they do not compare; empty where none was scored."""
        scored = [row.accuracy for row in self.masks if row.accuracy]
        if not scored:
            return ""
        return f"mIoU: {images_of(scored[0])}." if self._scored_alike else "mIoU of different images does not compare."

    @property
    def on_scores(self) -> str:
        """What the figures of rows that end in scores leave out."""
        strides = sorted({row.stride for row in self.scores})
        where = " or ".join(str(stride) for stride in strides)
        return (
            f"These rows end with the class scores at stride {where}: nothing is upsampled and there is no mask in the "
            "frame's pixels. jetson-inference's networks end there; its page does not say what its speeds include. "
            "These rows do not compare with those that end with a mask."
        )

    def _words(self, row: Row) -> list[str]:
        """What marks a row, once its notes are written."""
        words = []
        if row.state == "recorded":
            words.append("recorded")
            self._note(row, "Recorded in an earlier run. " + (row.problem or "No source is given."))
        if row.unstable:
            share = _width(row)
            wide = bool(share) and share in row.unstable
            words.append(f"not steady ({share})" if wide else "not steady")
            self._note(row, WIDE if wide else f"Not steady: {row.unstable}")
        if row.accuracy and row.ends == "mask" and not self._scored_alike:
            self._note(row, f"mIoU on {images_of(row.accuracy)}.")
        return words

    def _note(self, row: Row, sentence: str) -> None:
        """Rows share the number of a sentence that is true of several."""
        known = {text: number for number, text in self.sentences}
        number = known.get(sentence, len(self.sentences) + 1)
        if sentence not in known:
            self.sentences.append((number, sentence))
        self.numbers.setdefault(row.name, []).append(number)


def _width(row: Row) -> str:
    """How wide the interval of a row's median is, in percent of the median."""
    times = row.end_to_end_ms
    return f"{(times.interval[1] - times.interval[0]) / times.p50:.1%}" if times and times.p50 else ""
