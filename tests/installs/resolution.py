"""What pip would install on machines of other kinds, as uv resolves it: pip takes every machine for its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
GLIBC = "2_35"
"""That of Ubuntu 22.04 and so of JetPack 6, the oldest of the systems."""


@dataclass(frozen=True)
class Target:
    """A machine and its Python.

    Attributes:
        machine: ``x86_64`` or ``aarch64``.
        python: Such as ``3.10``.
    """

    machine: str
    python: str

    def __str__(self) -> str:
        return f"{self.machine}, Python {self.python}"


MACHINES = ("x86_64", "aarch64")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
TARGETS = tuple(Target(*pair) for pair in product(MACHINES, PYTHONS))


NO_SET = "No solution found"
"""How uv begins where packages do not fit; it may fail in other ways."""


class UnresolvableError(Exception):
    """uv found no set of packages; the message is uv's, on one line."""


def resolve(command: str, target: Target, *options: str) -> str:
    """What uv writes of the packages that a command installs.

    Args:
        command: Such as ``pip install '.[gpu]' opencv-python``, in a clone.
        target: The machine.
        options: More options of ``uv pip compile``.

    Raises:
        UnresolvableError: There is no such set of packages.
    """
    extras, others = _asked(command)
    called = subprocess.run(
        [
            *(find_uv_bin(), "pip", "compile", "--no-config", "--quiet", "--no-header", "--no-annotate"),
            *("--python", sys.executable, "--no-python-downloads", "--python-version", target.python),
            *("--python-platform", f"{target.machine}-manylinux_{GLIBC}"),
            *(word for extra in extras for word in ("--extra", extra)),
            *options,
            *(str(ROOT / "pyproject.toml"), "-"),
        ],
        input="\n".join(others),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if called.returncode:
        raise UnresolvableError(" ".join(called.stderr.split()))
    return called.stdout


def versions(listed: str) -> dict[str, str]:
    """Version of each package in what ``resolve`` gives."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", listed, re.MULTILINE))


def _asked(command: str) -> tuple[Sequence[str], list[str]]:
    """The extras of the clone that a command names, and the other packages."""
    tool, verb, clone, *others = shlex.split(command)
    named = re.fullmatch(r"\.\[([\w,-]+)\]", clone)
    assert (tool, verb) == ("pip", "install"), command
    assert named is not None, command
    return named[1].split(","), others
