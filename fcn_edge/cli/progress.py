"""Progress bars on standard error; none where that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(what: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """A bar that is moved by a call with things done and things in all.

    Args:
        what: Stands before the bar.
        unit: What is counted.
    """
    from tqdm import tqdm

    with tqdm(desc=what, unit=unit, file=sys.stderr, disable=None, leave=False, dynamic_ncols=True) as bar:

        def moved(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield moved
