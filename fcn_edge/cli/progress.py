"""Progress bars on standard error; none where that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """A bar that is moved by a call with things done and things in all; it shows from the first call to the last thing.

    Args:
        what: Stands before the bar.
        unit: What is counted.
    """
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def moved(done: int, total: int) -> None:
        if not bars:
            bars.append(
                tqdm(desc=what, unit=unit, file=sys.stderr, disable=None, leave=False, dynamic_ncols=True, total=total)
            )
        bars[0].total = total
        bars[0].update(done - bars[0].n)
        if done == total:  # the next one takes its line
            bars.pop().close()

    try:
        yield moved
    finally:
        for bar in bars:
            bar.close()
