"""Figures that other projects publish of themselves: ``published.toml``, each with its source and what it includes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib import resources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Published", "published_figures"]


@dataclass(frozen=True)
class Published:
    """A figure as its project publishes it; fcn_edge did not measure it.

    Attributes:
        project: Who publishes it.
        network: The network, its input's size as height and width, and its precision where that is told.
        device: What it ran on.
        figure: The figure, with its unit.
        accuracy: The accuracy beside it, and of which kind; empty where none is published.
        includes: What the time is of, as far as the source tells.
        source: Address of the page.
        read: Day when the page was read, such as ``2026-11-29``.
    """

    project: str
    network: str
    device: str
    figure: str
    includes: str
    source: str
    read: str
    accuracy: str = ""


@cache
def published_figures() -> tuple[Published, ...]:
    """All figures, in the file's order."""
    text = (resources.files("fcn_edge.bench.report") / "published.toml").read_text(encoding="utf-8")
    return tuple(
        Published(**{key: value for key, value in project.items() if key != "figure"}, **figure)
        for project in tomllib.loads(text)["project"]
        for figure in project["figure"]
    )
