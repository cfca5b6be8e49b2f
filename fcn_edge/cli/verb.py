"""What every verb shares: ``--json``, ``--debug``, one sentence on bad input, exit codes."""

from __future__ import annotations

import functools
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.signals import INTERRUPTED, interrupts_once
from fcn_edge.cli.streams import discard_output
from fcn_edge.errors import EXTRAS, ArtifactError, FcnEdgeError, GuardError, MachineError, MissingExtraError, UsageError
from fcn_edge.io.json_text import json_text
from fcn_edge.text import printable

__all__ = ["SIZE", "failure", "note", "say", "stopped", "verb"]

_LONGEST_LINE = 8000
"""Letters; the names of some hundred classes stand in one line."""

if TYPE_CHECKING:
    _SizeType = click.ParamType[tuple[int, int]]
else:
    _SizeType = click.ParamType  # takes no type argument before click 8.4


class _Size(_SizeType):
    """``HxW`` on the command line, ``(height, width)`` in code."""

    name = "HxW"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        from fcn_edge.artifacts.spec import size_from_text

        try:
            return size_from_text(value)
        except FcnEdgeError as error:
            self.fail(str(error), param, ctx)


SIZE = _Size()
"""Parameter type of ``--size``: height x width in pixels."""


def verb(run: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Make a command of a function that returns the object that ``--json`` prints.

    The function prints for people with ``say`` (nothing under ``--json``) and reports progress with ``note``
    (standard error). Errors of fcn_edge become one sentence, its fix and their exit code; Ctrl-C becomes 130, once
    however often it is pressed within a second; SIGTERM ends like Ctrl-C but with 0, for commands that close their
    files on KeyboardInterrupt; a command for which that is too early, such as ``run`` before its first frame, raises
    what it ends with instead.

    A command that fails and yet has something to report returns its object with the keys of ``failure`` added; one
    that was stopped and has a summary adds those of ``stopped``.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object to standard output, nothing else.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(run)
    def command(*args: Any, as_json: bool, debug: bool, **kwargs: Any) -> None:
        click.get_current_context().ensure_object(dict)["json"] = as_json
        with interrupts_once() as terminated, _log_as_notes():
            click.get_current_context().ensure_object(dict)["terminated"] = terminated
            try:
                result = run(*args, **kwargs)
                if as_json:
                    click.echo(json_text(result))
            except (click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except BrokenPipeError:
                # the reader of our output went away, as with `| head`: nothing is left to say
                discard_output(sys.stdout)
                sys.exit(0)
            except KeyboardInterrupt:
                result = {"error": "Interrupted.", "fix": "", **stopped()}
                _report(result, as_json)
            except Exception as error:
                if debug:
                    for line in traceback.format_exc().splitlines():
                        note(line)
                if _interrupt_behind(error):
                    result = {"error": "Interrupted.", "fix": "", **stopped()}
                else:
                    result = failure(_as_fcn_edge_error(error))
                _report(result, as_json)
            else:
                if not as_json and "error" in result:
                    _report(result, as_json)
                code = result.get("exit_code", 0)
                if code and not (terminated and code == INTERRUPTED):
                    sys.exit(code)
                return
        if result["exit_code"]:
            sys.exit(result["exit_code"])

    return command


def say(text: str | Sequence[str] = "") -> None:
    """A line for people on standard output, or the lines of a table; silent under ``--json``.

    Each stays one line, whatever names stand in it.
    """
    if not click.get_current_context().ensure_object(dict).get("json"):
        for line in [text] if isinstance(text, str) else text:
            click.echo(_shown(line))


def note(text: str) -> None:
    """A line on standard error: progress, warnings."""
    _tell(_shown(text))


def failure(error: FcnEdgeError) -> dict[str, Any]:
    """What ``--json`` prints of an error: ``error``, ``fix`` and ``exit_code``."""
    return {
        "error": _without_passwords(error.message),
        "fix": _without_passwords(error.fix),
        "exit_code": error.exit_code,
    }


def stopped() -> dict[str, int]:
    """What ``--json`` prints of a command that was stopped: ``exit_code``, 130 after Ctrl-C and 0 after SIGTERM."""
    return {"exit_code": 0 if click.get_current_context().ensure_object(dict).get("terminated") else INTERRUPTED}


def _shown(line: str) -> str:
    return printable(_without_passwords(printable(line, _LONGEST_LINE, cut="end")))


def _without_passwords(text: str) -> str:
    if ":" not in text:  # nothing to hide, nothing to import
        return text
    from fcn_edge.io.redaction import prose_without_passwords

    return prose_without_passwords(text)


def _interrupt_behind(error: BaseException) -> bool:
    """Whether a library made an error of its own of Ctrl-C, as some do while they are imported."""
    while not isinstance(error, FcnEdgeError | KeyboardInterrupt):
        behind = error.__cause__ or error.__context__
        if behind is None:
            return False
        error = behind
    return isinstance(error, KeyboardInterrupt)


def _as_fcn_edge_error(error: Exception) -> FcnEdgeError:
    """The error itself, or one that says what an error of another library means, or what lies behind it."""
    from fcn_edge.io.machine import fault_behind, machine_fault

    if isinstance(error, MachineError | GuardError):
        return error
    if isinstance(error, FcnEdgeError):
        return fault_behind(error) or error
    fault = machine_fault(error)
    if fault is not None:
        return fault
    if isinstance(error, FileNotFoundError) and error.filename is None and _working_directory_is_gone():
        return UsageError("The working directory is not there any more.", "Change to one that is, with cd.")
    if isinstance(error, OSError) and error.filename is not None:
        path = printable(os.fsdecode(error.filename) if isinstance(error.filename, bytes) else str(error.filename), 300)
        return ArtifactError(f"{path} cannot be used: {error.strerror}.", "Check the path and its permissions.")
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return ArtifactError("A path holds a NUL character, which no name of a file can.", "Correct the path.")
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return MissingExtraError(error.name, EXTRAS[error.name], "This command")
    return FcnEdgeError(
        f"Internal error: {type(error).__name__}: {str(error).rstrip('.')}.",
        "Run the command again with --debug and report the traceback.",
    )


def _working_directory_is_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return True
    return False


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record))


@contextmanager
def _log_as_notes() -> Iterator[None]:
    """Show what the package logs, such as where a model runs, on standard error."""
    logger, handler = logging.getLogger("fcn_edge"), _Notes()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _tell(line: str) -> None:
    try:
        click.echo(line, err=True)
    except BrokenPipeError:
        raise
    except OSError:  # a full disk behind 2>: what the command is for goes on
        discard_output(sys.stderr)


def _report(result: dict[str, Any], as_json: bool) -> None:
    if not as_json:
        _tell(f"Error: {result['error']}")
        if result["fix"]:
            _tell(f"Fix: {result['fix']}")
    try:
        if as_json:
            click.echo(json_text(result))
        sys.stdout.flush()
    except OSError:  # standard output itself is what failed
        discard_output(sys.stdout)
