"""No way to install fcn_edge brings two packages that overwrite each other."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
RIVALS = [
    {"opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"},
    {"onnxruntime", "onnxruntime-gpu"},
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").glob("*.md"))]
OPENCV_OF = {"cpu": "opencv-python", "cpu-headless": "opencv-python-headless"}


def packages(requirement: str) -> Iterator[str]:
    """Names of the distributions that a requirement names, those of fcn_edge's extras instead of its own."""
    match = re.match(r"([\w.-]+)\s*(?:\[([\w,\s-]*)\])?", requirement)
    assert match is not None, requirement
    name, extras = match.groups()
    if name not in {"fcn_edge", "."}:
        yield re.sub(r"[-_.]+", "-", name).lower()
        return
    for extra in re.findall(r"[\w-]+", extras or ""):
        for one in EXTRAS[extra]:
            yield from packages(one)


def documented() -> list[str]:
    """What follows ``pip install`` on the pages, where it names the clone or fcn_edge."""
    found = set()
    for page in PAGES:
        for words in re.findall(r"pip install ([^\n`#|&]+)", page.read_text(encoding="utf-8")):
            if re.search(r"(?:fcn_edge|\.)\[", words):
                found.add(words.strip())
    return sorted(found)


def test_the_pages_show_how_to_install() -> None:
    assert any("cpu" in line for line in documented())


@pytest.mark.parametrize("asked", [*(f".[{extra}]" for extra in EXTRAS), *documented()])
def test_nothing_brings_two_that_overwrite_each_other(asked: str) -> None:
    brought = {one for word in shlex.split(asked) if not word.startswith("-") for one in packages(word)}
    for rivals in RIVALS:
        assert len(brought & rivals) <= 1, f"{asked} brings {sorted(brought & rivals)}"


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_opencv_comes_from_one_extra(extra: str) -> None:
    own = {one for requirement in EXTRAS[extra] if "fcn_edge[" not in requirement for one in packages(requirement)}
    assert own & RIVALS[0] == ({OPENCV_OF[extra]} if extra in OPENCV_OF else set())
