"""The tables of docs/install.md on NVIDIA GPUs, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .resolution import MACHINES, PYTHONS, ROOT, Target

TEXT = (ROOT / "docs/install.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """A command, and the machines that it is said of.

    Attributes:
        machine: First cell of the row.
        cuda: Major version of CUDA that the driver supports.
        command: What installs fcn_edge there.
        targets: Where it is said to work, or not to.
    """

    machine: str
    cuda: int
    command: str
    targets: tuple[Target, ...]


def installed() -> list[Row]:
    """The table of what is installed where."""
    return list(_rows("machine"))


def missing() -> list[Row]:
    """The table of combinations that do not exist."""
    return list(_rows("does not exist"))


def _rows(first: str) -> Iterator[Row]:
    table = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert table is not None, f"docs/install.md has no table that begins with: {first}"
    for line in table[1].splitlines():
        machine, driver, processors, python, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        command = re.search(r"`(pip install [^`]+)`", " ".join((machine, *rest)))
        cuda = re.fullmatch(r"CUDA (\d+)", driver)
        assert command is not None, line
        assert cuda is not None, line
        names = processors.split(", ")
        assert set(names) <= set(MACHINES), line
        targets = tuple(Target(name, version) for name in names for version in _pythons(python))
        yield Row(machine, int(cuda[1]), command[1], targets)


def _pythons(cell: str) -> tuple[str, ...]:
    version, _, newer = cell.partition(" ")
    assert (version, newer) in {(one, word) for one in PYTHONS for word in ("", "or newer")}, cell
    return PYTHONS[PYTHONS.index(version) :] if newer else (version,)
