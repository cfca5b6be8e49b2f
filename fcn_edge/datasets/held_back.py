"""A validation split out of one folder: its last images, so that neighbors of a video stay on one side."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fcn_edge.datasets.pairing import Pair
from fcn_edge.errors import UsageError

__all__ = ["held_back"]

_NUMBER = re.compile(r"(\d+)")


def held_back(pairs: Sequence[Pair], share: float) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Part pairs into those to train on and those to validate on, in the order of their names and numbers.

    Frames of one drive look alike, and a network that was trained on every other one is good on those between. So the
    last ones are held back together; of several drives it is the last drive, or its end.

    Args:
        pairs: Images with labels.
        share: Share to hold back, above 0 and below 1; at least one pair goes to each side.

    Raises:
        UsageError: There are fewer than two pairs, or the share is none.
    """
    if not 0 < share < 1:
        raise UsageError(f"{share} is no share to hold back.", "Give a number between 0 and 1, such as 0.2.")
    if len(pairs) < 2:
        raise UsageError("One image cannot be parted into train and val.", "Give more images, or leave out --val.")
    # by folder first: names say nothing of it where they differ without
    ordered = sorted(pairs, key=lambda pair: [_key(part) for part in pair.image.parts])
    count = min(len(pairs) - 1, max(1, round(share * len(pairs))))
    return tuple(ordered[:-count]), tuple(ordered[-count:])


def _key(name: str) -> list[tuple[int, int, str]]:
    """What sorts frame2 before frame10."""
    return [(0, int(part[:18]), part) if part.isdecimal() else (1, 0, part) for part in _NUMBER.split(name) if part]
