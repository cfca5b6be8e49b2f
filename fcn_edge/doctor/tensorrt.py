"""TensorRT: is it here, does this Python see it, and is it the one of the board's JetPack?"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.jetson import JetPack, in_container, is_jetson, known_jetpack
from fcn_edge.system.cuda_driver import Driver
from fcn_edge.system.dpkg import package_version
from fcn_edge.system.probes import Probes

__all__ = ["tensorrt"]

NAME = "TensorRT"
APT_PACKAGE = "python3-libnvinfer"
SYSTEM_PYTHON = "/usr/bin/python3"

PYPI = tuple(f"tensorrt{cuda}{part}" for cuda in ("", "-cu12", "-cu13") for part in ("", "-bindings", "-libs"))
"""Distributions of TensorRT on PyPI. Its wheels for Arm are for servers, not for boards with JetPack 6."""


def tensorrt(root: Path, probes: Probes, driver: Driver) -> Check:
    """TensorRT's Python module on a machine with an NVIDIA GPU.

    Args:
        root: Where ``/usr``, ``/var`` and ``/etc`` are found.
        probes: What is asked of the running system.
        driver: What the driver library says.
    """
    if probes.importable("tensorrt"):
        return _visible(root, probes)
    pythons = _system_pythons(root)
    if pythons:
        return _hidden(root, probes, pythons)
    if not is_jetson(root):
        return Check(NAME, False, "not installed; it makes the fastest engines", f"pip install {_wheel(driver)}")
    if in_container(root):
        fix = "Start from an image with JetPack's TensorRT, such as deploy/Dockerfile does."
        return Check(NAME, False, "not in this container", fix)
    fix = f"sudo apt-get update && sudo apt-get install nvidia-jetpack && {_venv(probes, clear=False)}"
    return Check(NAME, False, "JetPack's is not installed", fix)


def _wheel(driver: Driver) -> str:
    """PyPI's ``tensorrt`` is the one for the newest CUDA. The extra brings pycuda as well, which needs a toolkit."""
    return "tensorrt-cu12" if driver.major == 12 else "tensorrt"


def _visible(root: Path, probes: Probes) -> Check:
    apt = _upstream(package_version(root, APT_PACKAGE))
    version = next(filter(None, map(probes.versions, PYPI)), None) or apt or "of unknown version"
    jetpack = known_jetpack(root)
    if jetpack is None or not jetpack.tensorrt:
        return Check(NAME, True, version)
    shipped = f"JetPack {jetpack.version} ships {jetpack.tensorrt}"
    if _agree(version, jetpack.tensorrt):
        return Check(NAME, True, f"{version}, as {shipped}")
    if in_container(root):
        return Check(NAME, True, f"{version} of this container; {shipped}: each needs engines of its own")
    return Check(NAME, False, f"{version}, but {shipped}", _restore(probes, jetpack, apt, version))


def _hidden(root: Path, probes: Probes, pythons: set[tuple[int, int] | None]) -> Check:
    version = _upstream(package_version(root, APT_PACKAGE))
    listed = " and ".join(sorted(f"Python {one[0]}.{one[1]}" if one else "Python 3" for one in pythons))
    found = f"{version or 'installed'} for the system's {listed}, not visible in {probes.prefix}"
    fits = None in pythons or probes.python in pythons
    again = "" if fits else ", then install fcn_edge there again"
    return Check(NAME, False, found, f"{_venv(probes, clear=not fits)}{again}")


def _venv(probes: Probes, clear: bool) -> str:
    """The command that opens an environment to the system's packages; what was installed in it stays unless cleared."""
    where = shlex.quote(str(probes.prefix)) if probes.is_venv else ".venv"
    return f"{SYSTEM_PYTHON} -m venv --system-site-packages {'--clear ' * clear}{where}"


def _restore(probes: Probes, jetpack: JetPack, apt: str, version: str) -> str:
    wheels = [name for name in PYPI if probes.versions(name)]
    if wheels and not _agree(version, apt):
        return f"pip uninstall -y {' '.join(wheels)} && {_venv(probes, clear=False)}"
    wanted = f"{jetpack.tensorrt}-*"
    return f"sudo apt-get install --allow-downgrades 'tensorrt={wanted}' '{APT_PACKAGE}={wanted}'"


def _system_pythons(root: Path) -> set[tuple[int, int] | None]:
    """The Pythons of the system that have TensorRT; None stands for whichever it is."""
    found: set[tuple[int, int] | None] = set()
    for place in ("usr/lib", "usr/local/lib"):
        for path in (root / place).glob("python3*/dist-packages/tensorrt"):
            minor = path.parts[-3].removeprefix("python3").removeprefix(".")
            found.add((3, int(minor)) if minor.isdecimal() else None)
    return found


def _upstream(version: str) -> str:
    """Version of the software in a Debian version: what stands before its revision."""
    return version.partition("-")[0]


def _agree(one: str, other: str) -> bool:
    """Whether versions are the same, as far as both tell: Python's may be 10.3.0 where Debian's is 10.3.0.30."""
    first, second = (re.findall(r"\d+", version) for version in (one, other))
    shared = min(len(first), len(second))
    return shared > 0 and first[:shared] == second[:shared]
