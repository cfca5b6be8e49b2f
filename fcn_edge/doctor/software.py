"""Python, the packages and the backends."""

from __future__ import annotations

import platform
import sys

from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.doctor.check import Check
from fcn_edge.system.probes import Versions
from fcn_edge.version import __version__

__all__ = ["backends", "base", "extra", "python", "rivals"]

BASE = ("numpy", "pydantic", "click", "tqdm", "threadpoolctl")
"""Distributions that fcn_edge always needs."""


def python() -> Check:
    """The interpreter and fcn_edge itself."""
    found = f"fcn_edge {__version__}, Python {platform.python_version()}, {sys.executable}"
    return Check("fcn_edge", True, found, required=True)


def base(versions: Versions) -> Check:
    """The packages that fcn_edge always needs."""
    found = {package: versions(package) for package in BASE}
    listed = ", ".join(f"{package} {version or 'is not installed'}" for package, version in found.items())
    fix = "" if all(found.values()) else "pip install fcn_edge"
    return Check("packages", not fix, listed, fix, required=True)


def extra(name: str, packages: tuple[str, ...], purpose: str, versions: Versions) -> Check:
    """Whether the packages of an extra are installed.

    Args:
        name: The extra.
        packages: Distributions that it brings.
        purpose: What does not work without them.
        versions: Looks up installed versions.
    """
    found = {package: versions(package) for package in packages}
    missing = [package for package, version in found.items() if version is None]
    listed = ", ".join(f"{package} {version or 'is not installed'}" for package, version in found.items())
    if missing:
        return Check(f"for {purpose}", False, listed, f"pip install 'fcn_edge[{name}]'")
    return Check(f"for {purpose}", True, listed)


def backends(gpu: bool) -> list[Check]:
    """What each backend says of itself. One is enough, so that a missing one is a fault only where none can run.

    Args:
        gpu: There is an NVIDIA GPU; without one the backends for it go unmentioned.
    """
    probes = {name: backend(name).probe() for name, entry in BACKENDS.items() if gpu or entry.device == "cpu"}
    stranded = not any(probe.available for probe in probes.values())
    checks = []
    for name, probe in probes.items():
        entry = BACKENDS[name]
        found = f"{entry.library} {probe.version}" if probe.available else f"{probe.problem} It is for {entry.purpose}."
        checks.append(Check(f"backend {name}", probe.available, found, probe.fix, required=stranded or probe.available))
    return checks


def rivals(first: str, second: str, versions: Versions) -> Check | None:
    """A complaint when two distributions that overwrite each other are both installed; else nothing."""
    if versions(first) is None or versions(second) is None:
        return None
    fix = f"pip uninstall -y {first} {second} && pip install {first}"
    return Check(first, False, f"{first} and {second} overwrite each other", fix, required=True)
