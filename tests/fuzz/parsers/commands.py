"""Commands of the command line, run in this process: what they show, and the very error that they end with."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
from pathlib import Path

from ..parser import Shown

__all__ = ["shown_by"]


def shown_by(verb: str, *arguments: str | Path) -> Shown:
    """What a command shows people, and what ``--json`` would print."""
    from fcn_edge.cli.main import main

    context = main.make_context("fcn-edge", [verb])
    command = main.get_command(context, verb)
    assert command is not None
    assert command.callback is not None
    with command.make_context(verb, [str(each) for each in arguments], parent=context) as inner:
        options = {key: value for key, value in inner.params.items() if key not in ("as_json", "debug")}
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            # beneath what makes a sentence and an exit code of every error
            result = inspect.unwrap(command.callback)(**options)
    return Shown(output.getvalue() + json.dumps(result, allow_nan=False))
