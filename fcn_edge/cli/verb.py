"""What every verb shares: ``--json``, ``--debug``, one sentence on bad input, exit codes."""

from __future__ import annotations

import functools
import json
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import click

from fcn_edge.errors import FcnEdgeError

__all__ = ["SIZE", "note", "say", "verb"]

INTERRUPTED = 130


class _Size(click.ParamType[tuple[int, int]]):
    """``HxW`` on the command line, ``(height, width)`` in code."""

    name = "HxW"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        from fcn_edge.spec import size_from_text

        try:
            return size_from_text(value)
        except FcnEdgeError as error:
            self.fail(str(error), param, ctx)


SIZE = _Size()
"""Parameter type of ``--size``: height x width, multiples of 32."""


def verb(run: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Make a command of a function that returns the object that ``--json`` prints.

    The function prints for people with ``say`` (nothing under ``--json``) and reports progress with ``note``
    (standard error). Errors of fcn_edge become one sentence, its fix and their exit code; Ctrl-C becomes 130;
    SIGTERM ends like Ctrl-C but with 0, for commands that close their files on KeyboardInterrupt.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object to standard output, nothing else.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(run)
    def command(*args: Any, as_json: bool, debug: bool, **kwargs: Any) -> None:
        context = click.get_current_context()
        context.ensure_object(dict)["json"] = as_json
        terminated = _sigterm_as_interrupt()
        try:
            result = run(*args, **kwargs)
        except click.ClickException:
            raise
        except KeyboardInterrupt:
            if terminated:
                sys.exit(0)
            _fail("Interrupted.", "", INTERRUPTED, as_json)
        except FcnEdgeError as error:
            if debug:
                raise
            _fail(error.message, error.fix, error.exit_code, as_json)
        except BrokenPipeError:
            # the reader of our output went away, as with `| head`: nothing is left to say
            sys.stderr.close()
            sys.exit(0)
        except Exception as error:
            if debug:
                raise
            message = f"Internal error: {type(error).__name__}: {error}."
            _fail(message, "Run the command again with --debug and report the traceback.", 1, as_json)
        else:
            if as_json:
                click.echo(json.dumps(result))

    return command


def say(text: str = "") -> None:
    """A line for people on standard output; silent under ``--json``."""
    if not click.get_current_context().ensure_object(dict).get("json"):
        click.echo(text)


def note(text: str) -> None:
    """A line on standard error: progress, warnings."""
    click.echo(text, err=True)


def _fail(message: str, fix: str, exit_code: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": message, "fix": fix, "exit_code": exit_code}))
    else:
        click.echo(f"Error: {message}", err=True)
        if fix:
            click.echo(f"Fix: {fix}", err=True)
    sys.exit(exit_code)


def _sigterm_as_interrupt() -> list[bool]:
    """Turn SIGTERM into KeyboardInterrupt; the list is filled when it came."""
    came: list[bool] = []

    def on_term(signum: int, frame: FrameType | None) -> None:
        came.append(True)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_term)
    return came
