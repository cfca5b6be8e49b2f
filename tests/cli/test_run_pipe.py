"""``cat drive.ts | fcn-edge run MODEL -``: as people type it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av")

pytestmark = pytest.mark.system


@pytest.fixture
def command(tiny: Any) -> str:
    return f"{shlex.quote(sys.executable)} -m fcn_edge run {shlex.quote(str(tiny.path))}"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Callable[[str], subprocess.CompletedProcess[str]]]:
    """Runs a line of bash."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = ["bash", "-o", "pipefail", "-c", line]
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path)

    return run


def test_a_stream_goes_through_a_pipe(
    shell: Callable[[str], subprocess.CompletedProcess[str]], command: str, video: Path
) -> None:
    done = shell(f"cat {video} | {command} - null: --json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 12


def test_lines_go_through_both_ways(
    shell: Callable[[str], subprocess.CompletedProcess[str]], command: str, video: Path
) -> None:
    done = shell(f"cat {video} | {command} - - | head -n 12 | wc -l")
    assert done.stdout.strip() == "12"


def test_an_empty_pipe_is_exit_code_5(shell: Callable[[str], subprocess.CompletedProcess[str]], command: str) -> None:
    done = shell(f"{command} - null: < /dev/null")
    assert done.returncode == 5
    assert "Standard input is empty" in done.stderr


def test_a_silent_writer_does_not_keep_an_interrupt_waiting(command: str) -> None:
    words = [*shlex.split(command), "-", "null:"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert "runs on" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A stream of 12 frames that needs no seeking."""
    import av
    import numpy as np

    path = tmp_path / "drive.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for index in range(12):
            image = np.full((48, 64, 3), 10 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path
