"""TensorRT: is it here, does this Python see it, and is it the one of the board's JetPack?"""

from __future__ import annotations

import re

from fcn_edge.doctor.check import Check
from fcn_edge.system.cuda_wheels import NEWEST_CUDA, tensorrt_wheel
from fcn_edge.system.facts import MachineFacts
from fcn_edge.system.gstreamer import SYSTEM_PYTHON
from fcn_edge.system.jetson import JetPack
from fcn_edge.system.software import TENSORRT
from fcn_edge.text import quoted

__all__ = ["tensorrt"]

NAME = "TensorRT"
APT_PACKAGE = "python3-libnvinfer"
OLDEST = 10
"""The oldest major version that fcn_edge builds with; JetPack 6.0's is older."""


def tensorrt(facts: MachineFacts) -> Check:
    """TensorRT's Python module on a machine with an NVIDIA GPU."""
    if facts.software.sees_tensorrt:
        return _visible(facts)
    if facts.jetson and facts.jetson.jetpack and _too_old(facts.jetson.jetpack.tensorrt) and not facts.container:
        return _of_old(facts.jetson.jetpack.tensorrt, facts)
    if facts.software.pythons_with_tensorrt:
        return _hidden(facts)
    if facts.jetson is None:
        return Check(NAME, False, "not installed; it makes the fastest engines", _install(facts))
    if facts.container:
        fix = "Start from an image with JetPack's TensorRT, such as deploy/Dockerfile does."
        return Check(NAME, False, "not in this container", fix)
    fix = f"sudo apt-get update && sudo apt-get install nvidia-jetpack && {_venv(facts, clear=False)}"
    return Check(NAME, False, "JetPack's is not installed", fix)


def _install(facts: MachineFacts) -> str:
    major = facts.nvidia.driver.major if facts.nvidia else None
    return tensorrt_wheel(major or NEWEST_CUDA, facts.software.python.machine)


def _visible(facts: MachineFacts) -> Check:
    apt = _apt_version(facts)
    version = next(filter(None, map(facts.software.version, TENSORRT)), None) or apt or "of unknown version"
    if _too_old(version):
        return _of_old(version, facts)
    jetpack = facts.jetson.jetpack if facts.jetson else None
    if jetpack is None or not jetpack.tensorrt or _too_old(jetpack.tensorrt):
        return Check(NAME, True, version)
    shipped = f"JetPack {jetpack.version} ships {jetpack.tensorrt}"
    if _agree(version, jetpack.tensorrt):
        return Check(NAME, True, f"{version}, as {shipped}")
    if facts.container:
        return Check(NAME, True, f"{version} of this container; {shipped}: each needs engines of its own")
    return Check(NAME, False, f"{version}, but {shipped}", _restore(facts, jetpack, version))


def _too_old(version: str) -> bool:
    major = version.partition(".")[0]
    return major.isdecimal() and int(major) < OLDEST


def _of_old(version: str, facts: MachineFacts) -> Check:
    fix = _install(facts)
    if facts.container:
        fix = f"Start from an image with TensorRT {OLDEST}.0 or newer."
    elif facts.jetson:
        fix = "Flash JetPack 6.1 or newer; until then models run on the processor."
    return Check(NAME, False, f"{version}; {OLDEST}.0 or newer was expected", fix)


def _hidden(facts: MachineFacts) -> Check:
    python, pythons = facts.software.python, facts.software.pythons_with_tensorrt
    listed = " and ".join(f"Python {version}" for version in pythons)
    found = f"{_apt_version(facts) or 'installed'} for the system's {listed}, not visible in {python.prefix}"
    fits = "3" in pythons or "{}.{}".format(*python.minor) in pythons
    again = "" if fits else ", then install fcn_edge there again"
    return Check(NAME, False, found, f"{_venv(facts, clear=not fits)}{again}")


def _venv(facts: MachineFacts, clear: bool) -> str:
    """The command that opens an environment to the system's packages; what was installed in it stays unless cleared."""
    python = facts.software.python
    where = quoted(python.prefix) if python.is_venv else ".venv"
    return f"{SYSTEM_PYTHON} -m venv --system-site-packages {'--clear ' * clear}{where}"


def _restore(facts: MachineFacts, jetpack: JetPack, version: str) -> str:
    wheels = [name for name in TENSORRT if facts.software.version(name)]
    if wheels and not _agree(version, _apt_version(facts)):
        return f"pip uninstall -y {' '.join(wheels)} && {_venv(facts, clear=False)}"
    wanted = f"{jetpack.tensorrt}-*"
    return f"sudo apt-get install --allow-downgrades 'tensorrt={wanted}' '{APT_PACKAGE}={wanted}'"


def _apt_version(facts: MachineFacts) -> str:
    """Version of JetPack's TensorRT for Python, without its Debian revision; empty when it is not installed."""
    return facts.debian.get(APT_PACKAGE, "").partition("-")[0]


def _agree(one: str, other: str) -> bool:
    """Whether versions are the same, as far as both tell: Python's may be 10.3.0 where Debian's is 10.3.0.30."""
    first, second = (re.findall(r"\d+", version) for version in (one, other))
    shared = min(len(first), len(second))
    return shared > 0 and first[:shared] == second[:shared]
