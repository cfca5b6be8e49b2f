"""The command that builds a row's engine, made from the row's values: a result may come from anywhere."""

from __future__ import annotations

import shlex
from itertools import pairwise

from fcn_edge.artifacts.models import shipped_models
from fcn_edge.bench.result import Row

__all__ = ["build_command"]

CALIBRATION = "--calibration"


def build_command(row: Row) -> str:
    """The ``fcn-edge build`` of a row, quoted for a shell; empty where an engine was given that was built already.

    Of the command in the result only two paths are taken: that of a model that does not ship, and that of a calibration
    table. The rest of it might be anything.
    """
    if not row.build:
        return ""
    words = _words(row.build)
    model = row.model
    if words and model not in shipped_models():
        model = words[0]
    height, width = row.size
    command = ["fcn-edge", "build", _no_option(model), "--backend", row.backend, "--precision", row.precision]
    command += ["--size", f"{height}x{width}"]
    table = next((path for option, path in pairwise(words) if option == CALIBRATION), "")
    if table and row.precision == "int8":
        command += [CALIBRATION, _no_option(table)]
    return shlex.join(command)


def _words(build: str) -> list[str]:
    """What follows ``fcn-edge build``, a path first; nothing where it is another command."""
    try:
        words = shlex.split(build)
    except ValueError:  # a quotation that does not end
        return []
    return words[2:] if words[:2] == ["fcn-edge", "build"] and len(words) > 2 and words[2][:1] not in ("", "-") else []


def _no_option(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path
