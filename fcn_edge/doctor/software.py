"""Python, the packages and the backends."""

from __future__ import annotations

from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.doctor.check import Check
from fcn_edge.system.facts import MachineFacts
from fcn_edge.version import __version__

__all__ = ["backends", "base", "extra", "python", "rivals"]

BASE = ("numpy", "pydantic", "click", "tqdm", "threadpoolctl")
"""Distributions that fcn_edge always needs."""


def python(facts: MachineFacts) -> Check:
    """The interpreter and fcn_edge itself."""
    python = facts.software.python
    found = f"fcn_edge {__version__}, Python {python.version}, {python.executable}"
    return Check("fcn_edge", True, found, required=True)


def base(facts: MachineFacts) -> Check:
    """The packages that fcn_edge always needs."""
    listed, missing = _listed(BASE, facts)
    fix = "pip install fcn_edge" if missing else ""
    return Check("packages", not fix, listed, fix, required=True)


def extra(name: str, packages: tuple[str, ...], purpose: str, facts: MachineFacts) -> Check:
    """Whether the packages of an extra are installed.

    Args:
        name: The extra.
        packages: Distributions that it brings.
        purpose: What does not work without them.
        facts: The machine.
    """
    listed, missing = _listed(packages, facts)
    return Check(f"for {purpose}", not missing, listed, f"pip install 'fcn_edge[{name}]'" if missing else "")


def backends(facts: MachineFacts) -> list[Check]:
    """What each backend says of itself; without an NVIDIA GPU the backends for it go unmentioned.

    One is enough, so that a missing one is a fault only where none can run.
    """
    gpu = facts.nvidia is not None
    probes = {name: backend(name).probe() for name, entry in BACKENDS.items() if gpu or entry.device == "cpu"}
    stranded = not any(probe.available for probe in probes.values())
    checks = []
    for name, probe in probes.items():
        entry = BACKENDS[name]
        found = f"{entry.library} {probe.version}" if probe.available else f"{probe.problem} It is for {entry.purpose}."
        checks.append(Check(f"backend {name}", probe.available, found, probe.fix, required=stranded or probe.available))
    return checks


def rivals(first: str, second: str, facts: MachineFacts) -> Check | None:
    """A complaint when two distributions that overwrite each other are both installed; else nothing."""
    if facts.software.version(first) is None or facts.software.version(second) is None:
        return None
    fix = f"pip uninstall -y {first} {second} && pip install {first}"
    return Check(first, False, f"{first} and {second} overwrite each other", fix, required=True)


def _listed(packages: tuple[str, ...], facts: MachineFacts) -> tuple[str, bool]:
    """Packages with their versions, for people, and whether one is missing."""
    found = {package: facts.software.version(package) for package in packages}
    listed = ", ".join(f"{package} {version or 'is not installed'}" for package, version in found.items())
    return listed, not all(found.values())
