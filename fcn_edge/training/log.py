"""The log of a training: a line an epoch and decoder, as CSV."""

from __future__ import annotations

import csv
import time
from contextlib import suppress
from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.io.files import replacing
from fcn_edge.training.stage import EpochLog

__all__ = ["TrainingLog", "refuse_foreign"]

_FIELDS = ("stage", "epoch", "loss", "lr", "decoder", "val_miou", "seconds", "finished")


def refuse_foreign(path: Path) -> None:
    """Refuse to write a log where a file is that is none: nobody named it, and it may be anything.

    Raises:
        UsageError: Such a file is there.
    """
    header = ",".join(_FIELDS).encode()
    with suppress(FileNotFoundError), path.open("rb") as file:
        if file.read(len(header)) not in (header, b""):
            raise UsageError(
                f"{path} is no log of a training, and the log of this one would replace it.",
                "Give the checkpoint another name, or move that file.",
            )


class TrainingLog:
    """Writes ``path`` anew each time, so that it is always whole.

    Args:
        path: The file; until ``write`` it stays as an earlier training left it.
        rows: The lines of a training that goes on, as ``rows`` had them.

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
            writer.writerows(self.rows)
