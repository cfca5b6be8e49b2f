"""The account that runs this process, as far as devices ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["CONTAINER_GROUPS", "DEVICE_GROUPS", "JOIN_GROUPS", "AccountFacts", "read_account"]

DEVICE_GROUPS = ("video", "render")
"""Groups that own device files: cameras, and the GPU and video engine of a board."""

JOIN_GROUPS = 'sudo usermod -aG video,render "$USER", then log in again'
CONTAINER_GROUPS = '--group-add video --group-add "$(stat -c %g /dev/dri/renderD128)"'
"""Options of ``docker run``: ``video`` has one number everywhere, and ``render`` that of the machine around."""


@dataclass(frozen=True)
class AccountFacts:
    """What this process may open.

    Attributes:
        is_root: It is root, who may open everything.
        groups: Those of ``DEVICE_GROUPS`` that it belongs to.
        others: Those that the system has and it does not belong to.
    """

    is_root: bool
    groups: tuple[str, ...]
    others: tuple[str, ...]


def read_account(root: Path, identity: Callable[[], tuple[int, frozenset[int]]]) -> AccountFacts:
    """Read what this process belongs to.

    Args:
        root: Where ``/etc`` is found.
        identity: Number of the process's user, and the numbers of its groups.
    """
    user, numbers = identity()
    known = {}
    for line in text_of(root / "etc/group").splitlines():
        name, _, number, *_rest = [*line.split(":"), "", "", ""]
        if name in DEVICE_GROUPS and number.isdecimal():
            known[name] = int(number)
    here = [name for name in DEVICE_GROUPS if name in known]
    return AccountFacts(
        is_root=user == 0,
        groups=tuple(name for name in here if known[name] in numbers),
        others=tuple(name for name in here if known[name] not in numbers),
    )
