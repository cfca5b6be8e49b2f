"""Which Jetson this is, and which JetPack it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fcn_edge.doctor.check import Check
from fcn_edge.system.dpkg import package_version
from fcn_edge.system.text import text_of

__all__ = [
    "JETPACKS",
    "OLDEST_PYTHON",
    "JetPack",
    "board",
    "in_container",
    "is_jetson",
    "jetpack",
    "known_jetpack",
    "l4t",
]

RELEASE = "etc/nv_tegra_release"
OLDEST_PYTHON = (3, 10)


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


def is_jetson(root: Path) -> bool:
    """Whether the board is a Jetson. A container may hide some of the signs."""
    return (
        (root / RELEASE).is_file()
        or "nvidia,tegra" in text_of(root / "proc/device-tree/compatible")
        or text_of(root / "sys/devices/soc0/family").strip() == "Tegra"
    )


def board(root: Path) -> str:
    """What the board calls itself, such as ``NVIDIA Jetson Orin Nano Developer Kit``."""
    return text_of(root / "proc/device-tree/model").strip("\0\n ") or "NVIDIA Tegra"


def in_container(root: Path) -> bool:
    """Whether the system's files are a container's: its libraries are then not the board's."""
    return any((root / sign).exists() for sign in (".dockerenv", "run/.containerenv", "run/systemd/container"))


def l4t(root: Path) -> str:
    """Version of Linux for Tegra, such as ``36.4.3``; empty when it cannot be told."""
    found = re.search(r"^# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", text_of(root / RELEASE), re.MULTILINE)
    return f"{found[1]}.{found[2]}" if found else ""


def known_jetpack(root: Path) -> JetPack | None:
    """The JetPack of this board; None where its L4T is not in the table."""
    return JETPACKS.get(l4t(root))


def jetpack(root: Path) -> Check:
    """JetPack and L4T, and whether this process sees the board itself or a container's files."""
    version, known = l4t(root), known_jetpack(root)
    place = "in a container" if in_container(root) else "on the host"
    if not version:
        fix = (
            "docker run --volume /etc/nv_tegra_release:/etc/nv_tegra_release:ro ..."
            if in_container(root)
            else "sudo apt-get install --reinstall nvidia-l4t-core"
        )
        return Check("JetPack", False, f"unknown {place}: /{RELEASE} is missing or says nothing", fix)
    if known is None:
        package = package_version(root, "nvidia-jetpack")
        told = f"; the package nvidia-jetpack is {package}" if package else ""
        return Check("JetPack", True, f"L4T {version} (JetPack unknown), {place}{told}")
    found = f"{known.version} (L4T {version}), {place}"
    if known.python < OLDEST_PYTHON:
        python = ".".join(map(str, known.python))
        fix = "Flash JetPack 6.2 or newer; a board that has none runs models on its processor only."
        return Check("JetPack", False, f"{found}; its TensorRT is for Python {python}, which is too old", fix)
    return Check("JetPack", True, found)
