"""The live page that a command asks for: its token."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette")

from fcn_edge.cli.live_page import page_request, read_run_token
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.serve.token import TOKEN_VARIABLE

TOKEN = "k7_Jw-2mQ9xZ~4vB"


@pytest.mark.parametrize("has_file", [False, True])
def test_the_token_is_not_left_in_the_environment_of_processes_that_a_run_starts(
    has_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(TOKEN[::-1])
    assert read_run_token(file if has_file else None) == (TOKEN[::-1] if has_file else TOKEN)
    assert TOKEN_VARIABLE not in os.environ


def test_the_token_is_not_in_what_a_debugger_shows_of_the_request() -> None:
    source = SourceAddress.of("synthetic://street")
    request, _ = page_request([source], ["http://:0"], TOKEN, [])
    assert request is not None
    assert request.token == TOKEN
    assert TOKEN not in repr(request)


WITHOUT_STARLETTE = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "starlette":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from fcn_edge.__main__ import main
sys.exit(main())
"""


def test_without_its_packages_a_page_is_refused_with_the_pip_line_and_other_runs_go_on() -> None:
    model = ("run", "camvid-mobilenet_v2-fcn8s", "synthetic://street?size=48x64&frames=1")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT_STARLETTE, *model, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    refused = run("http://:0")
    assert refused.returncode == 6
    assert "The live page needs the Python package starlette" in refused.stderr
    assert "pip install 'fcn_edge[web]'" in refused.stderr
    assert run("missing/out.mp4").returncode == 2  # of the sink, not of what a page needs
