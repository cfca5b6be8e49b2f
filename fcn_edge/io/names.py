"""Names of files that are made from others, none twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

__all__ = ["names_of_files", "numbered"]


def names_of_files(paths: Sequence[Path]) -> list[str]:
    """What files of one folder are called without a suffix, in their order: the stem where no other has that name.

    ``a.jpg`` beside ``a.png`` stays ``a.jpg``, and ``a.jpg.png`` beside both stays ``a.jpg.png``. The same files always
    get the same names.
    """
    names = [path.stem for path in paths]
    while True:
        counts = Counter(names)
        # the names of a folder's files are all different, so that this ends
        twice = [number for number, name in enumerate(names) if counts[name] > 1 and name != paths[number].name]
        if not twice:
            return names
        for number in twice:
            names[number] = paths[number].name


def numbered(names: Sequence[str]) -> list[str]:
    """The names, with a number behind each that has occurred before: ``a``, ``a-2``, ``a-3``; none is another's."""
    taken, used = set(names), set[str]()
    given = []
    for name in names:
        new, number = name, 2
        while new in used or (new in taken and new != name):
            new, number = f"{name}-{number}", number + 1
        used.add(new)
        given.append(new)
    return given
