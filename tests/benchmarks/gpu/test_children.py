"""Checks in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Watched = Callable[..., Any]


@pytest.fixture
def watched(gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Runs Python text in place of a check; ``rows`` is the file that it writes to."""
    children, subject = import_module("gpu.children"), import_module("gpu.subject")

    def watched(text: str, limit_s: float = 20.0, until: float | None = None, **how: Any) -> Any:
        whole = f"import json, os, sys, time; rows = open(sys.argv[2], 'w')\n{text}"
        monkeypatch.setattr(children, "_command", lambda check: [sys.executable, "-S", "-c", whole])
        settings = import_module("gpu.settings").Settings()
        request = subject.Request("cuda-python", Path("refs.npz"), settings, alone=True, until=until)
        return children.run_check("some", request, limit_s, **how)

    return watched


def test_rows_and_output_come_back(watched: Watched) -> None:
    text = "print(open(sys.argv[1]).read(), os.environ['TOLD']); rows.write('{\"agree\": true}\\n{\"a\": 1}\\n')"
    outcome = watched(text, environment={"TOLD": "by us"})
    assert outcome.rows == [{"agree": True}, {"a": 1}]
    assert outcome.problem == ""
    assert '"provider": "cuda-python"' in outcome.output
    assert "by us" in outcome.output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("print('why'); sys.exit(5)", "It ended with 5: why"),
        ("print('last', flush=True); os.abort()", "It was ended by SIGABRT: last"),
        ("os._exit(7)", "It ended with 7: it said nothing"),
    ],
)
def test_a_bad_end_keeps_the_rows_before_it(watched: Watched, text: str, problem: str) -> None:
    outcome = watched(f'rows.write(\'{{"a": 1}}\\n{{"half\'); rows.flush()\n{text}')
    assert outcome.rows == [{"a": 1}]
    assert outcome.problem == problem


def test_one_that_takes_too_long_is_ended_with_what_it_started(watched: Watched) -> None:
    text = "import subprocess; subprocess.Popen(['sleep', '60'])\nrows.write('{}\\n'); rows.flush(); time.sleep(60)"
    outcome = watched(text, limit_s=0.8)
    assert outcome.problem == "It took more than 1 s and was ended."
    assert outcome.rows == [{}]


def test_one_is_ended_before_the_one_that_started_it(watched: Watched) -> None:
    """Each has a session of its own: who is ended by force would leave what it has started behind."""
    outcome = watched("time.sleep(60)", until=time.monotonic() + 2.5)
    assert outcome.problem == "It took more than 0 s and was ended."
    begun = time.monotonic()
    (told,) = watched("rows.write(json.dumps({'until': json.load(open(sys.argv[1]))['until']}))", limit_s=30).rows
    assert begun < told["until"] <= time.monotonic() + 30


def test_sigterm_ends_a_check_and_what_it_has_started(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As ``timeout`` sends it to the script, which passes it on to a check that has started a tool."""
    children, before = import_module("gpu.children"), signal.getsignal(signal.SIGTERM)
    ended, begun = tmp_path / "ended", tmp_path / "begun"
    text = f"""
import pathlib, signal
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(ended)!r}).touch(), os._exit(1)))
pathlib.Path({str(begun)!r}).touch()
time.sleep(60)"""

    def terminate() -> None:
        while not begun.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=terminate)
    try:
        children.end_with_all_at_sigterm()
        sender.start()
        with pytest.raises(SystemExit) as left:
            watched(text)
    finally:
        signal.signal(signal.SIGTERM, before)
        sender.join()
    assert left.value.code == 143
    assert ended.exists()
    assert children._under_way == set()


def test_a_tool_that_is_not_there_is_told(watched: Watched) -> None:
    assert watched("", within=("/nowhere/ncu",)).problem == "/nowhere/ncu cannot be run: No such file or directory."


def test_a_request_is_the_same_on_the_other_side(gpu_check: ModuleType) -> None:
    subject, settings = import_module("gpu.subject"), import_module("gpu.settings").Settings(size=(64, 96))
    request = subject.Request("pycuda", Path("/refs.npz"), settings, alone=True, until=12.5)
    assert subject.Request.of_json(request.to_json()) == request
