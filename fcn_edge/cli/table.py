"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from fcn_edge.text import printable

__all__ = ["table"]

_LONGEST_CELL = 100


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of text with aligned columns: the first to the left, the others, which are numbers, to the right.

    Args:
        header: Name of each column.
        rows: As many cells each; names in them are shown on one line and shortened.
    """
    header, *rows = ([printable(cell, _LONGEST_CELL) for cell in row] for row in (header, *rows))
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in (header, *rows))
    ]
    return [lines[0].rstrip(), "  ".join("-" * width for width in widths), *(line.rstrip() for line in lines[1:])]
