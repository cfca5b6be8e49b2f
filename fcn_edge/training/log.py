"""The log of a training: a line an epoch and decoder, as CSV."""

from __future__ import annotations

import csv
import time
from pathlib import Path

from fcn_edge.io.files import replacing, write_errors
from fcn_edge.training.stage import EpochLog

__all__ = ["TrainingLog", "is_log"]

_FIELDS = ("stage", "epoch", "loss", "lr", "decoder", "val_miou", "classes_present", "seconds", "finished")

_FIRST = "stage,epoch,loss,"
"""What the log of every version of fcn_edge begins with."""


def is_log(path: Path) -> bool:
    """Whether a file is the log of a training, or empty: something else shall not be replaced by one.

    Raises:
        UsageError: It cannot be read.
    """
    with write_errors(path), path.open("rb") as file:
        first = file.read(len(_FIRST))
    return first in (b"", _FIRST.encode())


class TrainingLog:
    """Writes ``path`` anew each time, so that it is always whole.

    Args:
        path: The file; until ``write`` it stays as an earlier training left it.
        rows: The lines of a training that goes on, as ``rows`` had them; those of an earlier fcn_edge lack fields.

    Attributes:
        rows: Every line so far, by field.
    """

    def __init__(self, path: Path, rows: list[dict[str, str]]) -> None:
        self._path = path
        self.rows = list(rows)

    def add(self, log: EpochLog) -> None:
        """Add the lines of an epoch to ``rows``."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        for name in log.stage.split("+"):
            miou = log.miou.get(name)
            values = (
                log.stage,
                str(log.epoch),
                f"{log.loss:.5f}",
                f"{log.lr:.3g}",
                name,
                "" if miou is None else f"{miou:.5f}",
                "" if miou is None else str(log.classes_present),
                f"{log.seconds:.1f}",
                stamp,
            )
            self.rows.append(dict(zip(_FIELDS, values, strict=True)))

    def write(self) -> None:
        """Write the file; where no epoch ran there is none, and that of an earlier training is removed.

        Raises:
            UsageError: The directory does not exist or may not be written.
            MachineError: The disk is full.
        """
        if not self.rows:
            self._path.unlink(missing_ok=True)
            return
        with replacing(self._path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, _FIELDS)
            writer.writeheader()
            writer.writerows({name: row.get(name, "") for name in _FIELDS} for row in self.rows)
