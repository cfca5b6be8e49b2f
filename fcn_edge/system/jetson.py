"""Which Jetson this is, and which JetPack it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fcn_edge.system.cpu import board_name
from fcn_edge.system.power import PowerFacts, read_power
from fcn_edge.system.text import text_of

__all__ = [
    "JETPACKS",
    "OLDEST_PYTHON",
    "RELEASE",
    "JetPack",
    "JetsonFacts",
    "board_and_mode",
    "in_container",
    "is_jetson",
    "read_jetson",
]

RELEASE = "etc/nv_tegra_release"
OLDEST_PYTHON = (3, 10)
"""The oldest Python that fcn_edge runs on."""


@dataclass(frozen=True)
class JetPack:
    """What a release of JetPack ships.

    Attributes:
        version: Such as ``6.2``.
        tensorrt: Version of its TensorRT; empty where that is not known for certain.
        python: Version of the system's Python, the only one that its TensorRT is for.
    """

    version: str
    tensorrt: str
    python: tuple[int, int]


JETPACKS: Mapping[str, JetPack] = MappingProxyType(
    {
        "35.2.1": JetPack("5.1", "8.5.2", (3, 8)),
        "35.3.1": JetPack("5.1.1", "8.5.2", (3, 8)),
        "35.4.1": JetPack("5.1.2", "8.5.2", (3, 8)),
        "35.6.2": JetPack("5.1.5", "8.5.2", (3, 8)),
        "36.3.0": JetPack("6.0", "8.6.2.3", (3, 10)),
        "36.4.0": JetPack("6.1", "10.3.0.30", (3, 10)),
        "36.4.3": JetPack("6.2", "10.3.0.30", (3, 10)),
        "36.4.4": JetPack("6.2.1", "10.3.0.30", (3, 10)),
        "36.4.7": JetPack("6.2.1", "10.3.0.30", (3, 10)),
        "36.5.0": JetPack("6.2.2", "10.3.0.30", (3, 10)),
        "36.5.2": JetPack("6.2.3", "10.3.0.30", (3, 10)),
        "38.2.0": JetPack("7.0", "10.13.2.6", (3, 12)),
        "38.2.1": JetPack("7.0", "10.13.2.6", (3, 12)),
        "38.4.0": JetPack("7.1", "10.13.3.9", (3, 12)),
        "39.2.0": JetPack("7.2", "10.16.2.10", (3, 12)),
        "39.2.1": JetPack("7.2.1", "", (3, 12)),
    }
)
"""JetPack by its L4T. Whole versions only: the neighbor of a known one may belong to another JetPack."""


@dataclass(frozen=True)
class JetsonFacts:
    """A Jetson board and what was flashed on it.

    Attributes:
        board: What the board calls itself, such as ``NVIDIA Jetson Orin Nano Developer Kit``.
        l4t: Version of Linux for Tegra, such as ``36.4.3``; empty where the system does not tell.
        power: The power modes; None where the board's modes cannot be read.
    """

    board: str
    l4t: str
    power: PowerFacts | None

    @property
    def jetpack(self) -> JetPack | None:
        """The JetPack of the board; None where its L4T is not in the table."""
        return JETPACKS.get(self.l4t)

    @property
    def too_old(self) -> bool:
        """Whether its JetPack is known, and of a Python that fcn_edge does not run on."""
        return self.jetpack is not None and self.jetpack.python < OLDEST_PYTHON


def is_jetson(root: Path) -> bool:
    """Whether this is a Jetson. A container may hide some of the signs.

    Args:
        root: Where ``/etc``, ``/proc`` and ``/sys`` are found.
    """
    return (
        (root / RELEASE).is_file()
        or "nvidia,tegra" in text_of(root / "proc/device-tree/compatible")
        or text_of(root / "sys/devices/soc0/family").strip() == "Tegra"
    )


def read_jetson(root: Path, board: str, nvpmodel: Callable[[], str]) -> JetsonFacts | None:
    """Read what board this is; None where it is no Jetson.

    Args:
        root: Where ``/etc``, ``/proc``, ``/sys`` and ``/var`` are found.
        board: What the board calls itself; may be empty.
        nvpmodel: What ``nvpmodel -q`` prints.
    """
    if not is_jetson(root):
        return None
    release = text_of(root / RELEASE)
    found = re.search(r"^# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", release, re.MULTILINE)
    return JetsonFacts(
        board=board or "NVIDIA Tegra",
        l4t=f"{found[1]}.{found[2]}" if found else "",
        power=read_power(root, nvpmodel),
    )


def board_and_mode(root: Path = Path("/")) -> tuple[str, str]:
    """What the device tree calls this board, and the name of its power mode; each is empty where no file tells.

    Cheap: no program is asked.

    Args:
        root: Where ``/etc``, ``/proc`` and ``/var`` are found.
    """
    power = read_power(root, nvpmodel=str)
    return board_name(root), power.mode if power else ""


def in_container(root: Path) -> bool:
    """Whether the system's files are a container's: its libraries are then not the board's."""
    return any((root / sign).exists() for sign in (".dockerenv", "run/.containerenv", "run/systemd/container"))
