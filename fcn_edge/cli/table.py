"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of text with aligned columns: the first to the left, the others, which are numbers, to the right.

    Args:
        header: Name of each column.
        rows: As many cells each.
    """
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in (header, *rows))
    ]
    return "\n".join([lines[0].rstrip(), "  ".join("-" * width for width in widths), *(x.rstrip() for x in lines[1:])])
