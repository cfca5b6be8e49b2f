"""Which rows stand where, and what must be said of single ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fcn_edge.bench.report.labels import measured
from fcn_edge.bench.result import Row

__all__ = ["Notes"]


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
        marks: Words and numbers that mark a row, by its name, such as ``not steady [1]``.
    """

    rows: Sequence[Row]
    masks: list[Row] = field(init=False)
    scores: list[Row] = field(init=False)
    missing: list[Row] = field(init=False)
    sentences: list[tuple[int, str]] = field(init=False, default_factory=list)
    numbers: dict[str, list[int]] = field(init=False, default_factory=dict)
    marks: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.masks = measured(self.rows)
        self.scores = measured(self.rows, "scores")
        self.missing = [row for row in self.rows if row.end_to_end_ms is None]
        for row in (*self.masks, *self.scores):
            recorded = row.state == "recorded"
            words = ["recorded"] if recorded else []
            if recorded:
                self._note(row, "Recorded in an earlier run. " + (row.problem or "No source is given."))
            if row.unstable:
                words.append("not steady")
                self._note(row, f"Not steady: {row.unstable}")
            if words:
                numbers = ", ".join(str(one) for one in self.numbers[row.name])
                self.marks[row.name] = f"{', '.join(words)}, note {numbers}"

    @property
    def on_scores(self) -> str:
        """What the figures of rows that end in scores leave out."""
        strides = sorted({row.stride for row in self.scores})
        where = " or ".join(str(stride) for stride in strides)
        return (
            f"These rows end with the class scores at stride {where}: nothing is upsampled and there is no mask in the "
            "frame's pixels. Some projects, such as jetson-inference, publish their speeds that way. They do not "
            "compare with the rows above, which do that work too."
        )

    def _note(self, row: Row, sentence: str) -> None:
        """Rows share the number of a sentence that is true of several."""
        known = {text: number for number, text in self.sentences}
        number = known.get(sentence, len(self.sentences) + 1)
        if sentence not in known:
            self.sentences.append((number, sentence))
        self.numbers.setdefault(row.name, []).append(number)
