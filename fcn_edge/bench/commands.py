"""Commands that build the engines of rows."""

from __future__ import annotations

import shlex
from itertools import pairwise

from fcn_edge.artifacts.models import shipped_models
from fcn_edge.artifacts.spec import Size
from fcn_edge.bench.result import Row
from fcn_edge.text import command_line

__all__ = ["build_command", "build_text"]

CALIBRATION = "--calibration"


def build_command(row: Row) -> str:
    """The ``fcn-edge build`` of a row, quoted for a shell; empty where an engine was given that was built already.

    It is made of the row's values, since a result may come from anywhere. Of the command in the result only two paths
    are taken: that of a model that does not ship, and that of a calibration table. The rest of it might be anything.
    """
    if not row.build:
        return ""
    words = _words(row.build)
    model = row.model
    if words and model not in shipped_models():
        model = words[0]
    table = next((path for option, path in pairwise(words) if option == CALIBRATION), "")
    return build_text(model, row.backend, row.precision, row.size, table if row.precision == "int8" else "")


def build_text(model: str, backend: str, precision: str, size: Size, table: str = "") -> str:
    """An ``fcn-edge build``, quoted for a shell.

    Args:
        model: A shipped name, or the path of a model.
        backend: Name of the backend.
        precision: Precision of the engine.
        size: ``(height, width)`` of the network's input.
        table: Path of a calibration table; empty for none.
    """
    words = ["fcn-edge", "build", _no_option(model), "--backend", backend, "--precision", precision]
    words += ["--size", f"{size[0]}x{size[1]}"]
    if table:
        words += [CALIBRATION, _no_option(table)]
    return command_line(*words)


def _words(build: str) -> list[str]:
    """What follows ``fcn-edge build``, a path first; nothing where it is another command."""
    try:
        words = shlex.split(build)
    except ValueError:  # a quotation that does not end
        return []
    return words[2:] if words[:2] == ["fcn-edge", "build"] and len(words) > 2 and words[2][:1] not in ("", "-") else []


def _no_option(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path
