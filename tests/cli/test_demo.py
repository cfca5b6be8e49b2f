"""What ``make demo`` prints last: the command that opens the live page."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="the demo runs and builds a network")

from fcn_edge.cli import demo
from fcn_edge.cli.run import command
from fcn_edge.runtime.sources import open_source

PYTHON = Path(sys.executable)


def without(monkeypatch: pytest.MonkeyPatch, missing: str | None) -> None:
    """Let a package, and no other, be missing."""
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == missing else PathFinder.find_spec("json"))


@pytest.fixture
def _complete(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, None)


def words_of(said: str) -> list[str]:
    """The words of the command, which is the last line."""
    return shlex.split(said.splitlines()[-1])


@pytest.mark.usefixtures("_complete")
def test_the_last_line_is_a_command_that_is_understood() -> None:
    program, verb, *words = words_of(demo.live_page(PYTHON))
    assert program.endswith("fcn-edge")
    assert verb == "run"
    parameters = command.make_context("run", words).params
    assert parameters["model"] == demo.MODEL
    assert parameters["sinks"] == ("http://:8080",)


@pytest.mark.usefixtures("_complete")
def test_the_street_goes_on_for_half_an_hour() -> None:
    with open_source(words_of(demo.live_page(PYTHON))[3]) as source:
        assert source.fps is not None
        assert source.length == 30 * 60 * source.fps


@pytest.mark.usefixtures("_complete")
def test_the_page_is_where_the_command_serves_it() -> None:
    said = demo.live_page(PYTHON)
    (page,) = re.findall(r"http://127\.0\.0\.1:(\d+)/", said)
    assert words_of(said)[-1] == f"http://:{page}"


def test_the_document_has_the_same_command() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/live.md").read_text(encoding="utf-8")
    assert f"    {shlex.join(['fcn-edge', 'run', demo.MODEL, demo.PAGE_STREET, demo.PAGE])}\n" in text


@pytest.mark.usefixtures("_complete")
def test_the_program_of_an_environment_in_the_clone_is_named_as_make_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words_of(demo.live_page(tmp_path / ".venv/bin/python"))[0] == ".venv/bin/fcn-edge"
    assert words_of(demo.live_page(Path("/opt/a b/bin/python")))[0] == "/opt/a b/bin/fcn-edge"


@pytest.mark.parametrize("package", demo.PAGE_PACKAGES)
def test_a_package_that_is_missing_is_named_with_what_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, package)
    said = demo.live_page(PYTHON)
    assert f"The live page needs the Python package {package}" in said
    assert "pip install 'fcn_edge[web]'" in said


@contextmanager
def served(words: list[str]) -> Iterator[str]:
    """The address of the page that a command serves, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "fcn_edge", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        said = []
        try:
            for line in run.stderr:
                said.append(line)
                if found := re.search(r"Live page: (http://127\.0\.0\.1:\d+/)", line):
                    yield found[1]
                    return
            raise AssertionError("".join(said))
        finally:
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)


@pytest.mark.system  # a server, in a process of its own
def test_the_command_serves_the_page() -> None:
    for package in demo.PAGE_PACKAGES:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    *words, page = words_of(demo.live_page(PYTHON))[1:]
    with served([*words, page.replace("8080", "0")]) as address:
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert answer.status == 200
            assert answer.headers.get_content_type() == "text/html"
        with urllib.request.urlopen(f"{address}healthz", timeout=30) as answer:
            assert answer.status == 200
