from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from fcn_edge.cli.streams import prepare_streams
prepare_streams()
opened = os.open(os.devnull, os.O_RDONLY)
assert opened > 2, opened
for stream in (sys.stdout, sys.stderr):
    print("ä \\udcfe", file=stream, flush=True)
sys.stdin.read()
assert all(os.get_inheritable(number) for number in (0, 1, 2))
"""


@pytest.mark.parametrize("closed", ["", ">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_no_file_takes_the_place_of_a_stream_that_is_closed(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'PYTHONIOENCODING=ascii "$0" -c "$1" {closed}', sys.executable, PROGRAM],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if ">&- " in f" {closed} ".replace("2>&-", "") else "\\xe4 \\udcfe\n")
    assert done.stderr == ("" if "2>&-" in closed else "\\xe4 \\udcfe\n")


@pytest.mark.parametrize(("closed", "said"), [(">&-", "There is no model 'nothere'"), (">&- 2>&-", "")])
def test_a_command_says_what_it_can_where_a_stream_is_closed(closed: str, said: str) -> None:
    command = ["bash", "-c", f'"$0" -m fcn_edge inspect nothere {closed}', sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("--help >/dev/full", 6), ("inspect nothere 2>/dev/full", 3), ("run --nothing 2>/dev/full", 2)],
)
def test_a_stream_that_takes_nothing_gives_no_traceback(arguments: str, code: int) -> None:
    command = ["bash", "-c", f'"$0" -m fcn_edge {arguments}', sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith("Error: The disk is full" if code == 6 else "")
    assert "Traceback" not in done.stderr
