"""The live page of a real run, abused while its camera runs: the camera goes on, and nothing is left behind."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

from benchmarks.page.run import PageRun, page_run
from tests.serve.abuse import abuses
from tests.serve.test_abuse_system import GOOD, HALF_OPEN, Target, all_answers, settled
from tests.servers.rtsp import RtspServer, needs_gstreamer
from tests.waits import until

pytestmark = pytest.mark.system

ABUSES = int(os.environ.get("FCN_EDGE_ABUSE", "2000"))
SEED = 29
TOKEN = "k7_Jw-2mQ9xZ~4vB"
FPS = 10
LOOK_S = 4.0
"""Seconds over which frames are counted."""
SLOWEST = 0.5
"""Of the frames a second before: the machine that tests is shared, and is abused from the same cores."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[PageRun]:
    needs_gstreamer()
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    with (
        RtspServer(size="240x320", fps=FPS, gop=10) as camera,
        page_run(
            "camvid-mobilenet_v2-fcn8s",
            camera.url(options="name=front"),
            ["--size", "96x128", "--token-file", str(token), "--allow-source", "rtsp://127.0.0.1:*"],
        ) as started,
    ):
        yield started


def frames(run: PageRun) -> float:
    return run.metrics()["fcn_edge_source_frames_total"]


def rate(run: PageRun, since: tuple[float, float]) -> float:
    """Frames a second since a look."""
    return (frames(run) - since[0]) / (time.monotonic() - since[1])


def look(run: PageRun) -> tuple[float, float]:
    return frames(run), time.monotonic()


def test_the_camera_goes_on_whatever_clients_send(run: PageRun) -> None:
    port = int(run.url.rstrip("/").rpartition(":")[2])
    target = Target("127.0.0.1", port, run.pid)
    until(lambda: frames(run) >= FPS)
    start = look(run)
    time.sleep(LOOK_S)
    before = rate(run, start)
    assert before > 0
    said, files = len(run.said), target.files

    seen: Counter[int] = Counter()
    start, memory = look(run), 0
    for number, abuse in enumerate(abuses(SEED, ABUSES)):
        for status in all_answers(target, abuse):
            is_frame = abuse.kind == "frame" and status == 101
            assert is_frame or status == 0 or 400 <= status < 500, (status, abuse.kind, abuse.data[:300])
            seen[status] += 1
        if number == ABUSES // 4:
            memory = target.memory
    assert sum(count for status, count in seen.items() if status) > 0.85 * ABUSES
    assert rate(run, start) > SLOWEST * before

    start = look(run)
    with ExitStack() as stack:
        for number in range(HALF_OPEN):
            connection = stack.enter_context(target.connected())
            with suppress(ConnectionError):
                connection.sendall(GOOD[: number % len(GOOD)])
        assert target.send(GOOD).status == 200
        time.sleep(LOOK_S)
        assert rate(run, start) > SLOWEST * before

    assert settled(target, files + 5)  # a thread or two of the server's, and connections that are just ending
    assert target.memory < memory + 30
    start = look(run)
    time.sleep(LOOK_S)
    assert rate(run, start) > SLOWEST * before
    # what a run says of its camera by itself is all that it says
    assert [line for line in run.said[said:] if not line.startswith("rtsp://127.0.0.1")] == []
