from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from fcn_edge import errors
from fcn_edge.cli.verb import SIZE, failure, note, say, verb


def invoked(run: Callable[[], dict[str, Any]], *arguments: str) -> Result:
    """A verb that does what ``run`` does, invoked."""

    @click.command()
    @verb
    def command() -> dict[str, Any]:
        return run()

    return CliRunner().invoke(command, arguments)


def raising(error: BaseException) -> Callable[[], dict[str, Any]]:
    def run() -> dict[str, Any]:
        raise error

    return run


def because(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def talking() -> dict[str, Any]:
    say("for people")
    note("on the way")
    return {"number": 3}


def test_people_get_text_and_scripts_get_json() -> None:
    result = invoked(talking)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "for people\n", "on the way\n")
    result = invoked(talking, "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, {"number": 3}, "on the way\n")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.FcnEdgeError("What happened.", "Fix it."), 1),
        (errors.UsageError("What happened.", "Fix it."), 2),
        (errors.DatasetError("What happened.", "Fix it."), 3),
        (errors.GuardError("What happened.", "Fix it."), 4),
        (errors.SourceError("What happened.", "Fix it."), 5),
        (errors.MachineError("What happened.", "Fix it."), 6),
    ],
)
def test_an_error_is_a_sentence_a_fix_and_a_code(error: errors.FcnEdgeError, code: int) -> None:
    result = invoked(raising(error))
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "Error: What happened.\nFix: Fix it.\n"
    result = invoked(raising(error), "--json")
    assert (result.exit_code, result.stderr) == (code, "")
    assert json.loads(result.stdout) == {"error": "What happened.", "fix": "Fix it.", "exit_code": code}


def test_an_error_without_a_fix_is_one_line() -> None:
    assert invoked(raising(errors.DatasetError("What happened."))).stderr == "Error: What happened.\n"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MemoryError(), 6, "The memory is full"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/out.mp4"), 6, "The disk is full: /data/out.mp4"),
        (OSError(errno.ENOSPC, "No space", "/in.png", None, "/out.png"), 6, "The disk is full: /out.png could"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 6, "The disk is full: the output could"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 6, "needs the Python package torch"),
        (ModuleNotFoundError("No module named 'mine'", name="mine"), 1, "Internal error: ModuleNotFoundError"),
        (ZeroDivisionError("division by zero"), 1, "Internal error: ZeroDivisionError: division by zero."),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (because(RuntimeError("Error calling __set_name__"), KeyboardInterrupt()), 130, "Interrupted"),
        (because(errors.ModelError("Export it again."), MemoryError()), 6, "The memory is full"),
        (because(errors.ModelError("Export it again."), RuntimeError("std::bad_alloc")), 6, "The memory is full"),
        (because(errors.ModelError("Export it again."), ValueError("no model")), 3, "Export it again."),
        (because(errors.GuardError("Worse."), MemoryError()), 4, "Worse."),
        (RuntimeError("can't start new thread"), 6, "starts no more threads"),
        (OSError(errno.EFBIG, "File too large", "/data/out.mp4"), 6, "/data/out.mp4 could not be written: it became"),
        (OSError(errno.EACCES, "Permission denied", "a\x1b[2J" + "k" * 5000), 3, "a\\x1b[2Jkkk"),
        (ValueError("embedded null byte"), 3, "A path holds a NUL character"),
    ],
)
def test_other_errors_are_one_sentence_too(error: BaseException, code: int, says: str) -> None:
    result = invoked(raising(error))
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    found = json.loads(invoked(raising(error), "--json").stdout)
    assert found["exit_code"] == code
    assert says in found["error"]


def test_a_working_directory_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = invoked(lambda: {"path": str(Path("net.onnx").absolute())})
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        2,
        "Error: The working directory is not there any more.",
    )


def test_debug_shows_the_traceback_and_keeps_the_code() -> None:
    result = invoked(raising(errors.DatasetError("What happened.")), "--debug")
    assert result.exit_code == 3
    assert "Traceback" in result.stderr
    assert "in raising" not in result.stdout
    result = invoked(raising(errors.DatasetError("What happened.")), "--debug", "--json")
    assert json.loads(result.stdout)["exit_code"] == 3


def test_debug_shows_no_text_of_others_raw() -> None:
    result = invoked(raising(ZeroDivisionError("rtsp://u:secret@h \x1b[2J")), "--debug")
    assert "in raising" not in result.stderr
    assert "ZeroDivisionError: rtsp://u:***@h \\x1b[2J" in result.stderr
    assert result.stderr.replace("\n", "").isprintable()


def test_a_report_with_a_failure_keeps_both() -> None:
    def run() -> dict[str, Any]:
        say("the report")
        return {"problems": 2, **failure(errors.DatasetError("There are problems.", "Fix them."))}

    result = invoked(run)
    assert (result.exit_code, result.stdout) == (3, "the report\n")
    assert result.stderr == "Error: There are problems.\nFix: Fix them.\n"
    result = invoked(run, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {
        "problems": 2,
        "error": "There are problems.",
        "fix": "Fix them.",
        "exit_code": 3,
    }


def test_a_summary_after_a_stop_keeps_its_code() -> None:
    result = invoked(lambda: {"frames": 3, "exit_code": 130}, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (130, {"frames": 3, "exit_code": 130})
    assert invoked(lambda: {"frames": 3, "exit_code": 130}).stderr == ""


def test_what_is_no_json_is_not_printed() -> None:
    result = invoked(lambda: {"fps": float("nan")}, "--json")
    assert result.exit_code == 1
    assert "Internal error" in json.loads(result.stdout)["error"]


def test_lines_stay_lines_whatever_names_stand_in_them() -> None:
    def run() -> dict[str, Any]:
        say("class a\x1b[2J\nError: b")
        say(["one", "two\nthree"])
        note("k" * 50_000)
        return {"name": "in\udcfe"}

    result = invoked(run)
    assert result.stdout == "class a\\x1b[2J\\nError: b\none\ntwo\\nthree\n"
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 10_000
    assert json.loads(invoked(run, "--json").stdout) == {"name": "in\\udcfe"}


def test_a_reader_that_went_away_is_no_error() -> None:
    assert invoked(raising(BrokenPipeError())).exit_code == 0


def test_clicks_own_errors_pass() -> None:
    result = invoked(raising(click.BadParameter("not that")))
    assert result.exit_code == 2
    assert "not that" in result.stderr
    assert invoked(raising(click.exceptions.Exit(7))).exit_code == 7


def test_sigterm_is_like_ctrl_c_but_ends_with_0() -> None:
    files_closed = []

    def run() -> dict[str, Any]:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        except KeyboardInterrupt:
            files_closed.append(True)
            raise
        return {}

    before = signal.getsignal(signal.SIGTERM)
    result = invoked(run, "--json")
    assert result.exit_code == 0
    assert files_closed
    assert json.loads(result.stdout) == {"error": "Interrupted.", "fix": "", "exit_code": 0}
    assert signal.getsignal(signal.SIGTERM) is before

    def summing_up() -> dict[str, Any]:
        try:
            return run()
        except KeyboardInterrupt:
            return {"frames": 3, "exit_code": 130}

    assert invoked(summing_up).exit_code == 0

    def too_early() -> dict[str, Any]:
        try:
            return run()
        except KeyboardInterrupt:
            raise errors.SourceError("There was no frame.") from None

    result = invoked(too_early, "--json")
    assert result.exit_code == json.loads(result.stdout)["exit_code"] == 5


PROGRAM = """
import click
from fcn_edge.cli.verb import say, verb

@click.command()
@verb
def command():
    for line in range(100_000):
        say("line")
    return {}

command()
"""


def test_head_may_close_the_pipe() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_full_disk_behind_standard_output_is_one_sentence(arguments: list[str]) -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("no /dev/full on this system")
    with device.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert bool(arguments) or "The disk is full" in done.stderr


@pytest.mark.parametrize(("text", "size"), [("512x1024", (512, 1024)), ("32X64", (32, 64))])
def test_a_size(text: str, size: tuple[int, int]) -> None:
    assert SIZE.convert(text, None, None) == size
    assert SIZE.convert(size, None, None) == size


@pytest.mark.parametrize("text", ["512", "512x", "x512", "0x32", "-32x32", "32x32x32", "ax32"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter):
        SIZE.convert(text, None, None)
