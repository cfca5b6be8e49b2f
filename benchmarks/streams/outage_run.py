"""A run whose camera fails again and again: what outages.py and lossy.py do, once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.streams.growing_video import GrowingVideo
from benchmarks.streams.outage_verdict import Kind, Outage, judged
from benchmarks.streams.watched import RunFailedError, WatchedRun, left_ns
from fcn_edge.metrics.durations import NS_PER_S
from tests.receiver import Receiver
from tests.servers.rtsp import RtspServer

__all__ = ["Plan", "outage_run"]

GIVEN_UP = 30.0


@dataclass(frozen=True)
class Plan:
    """What happens to the camera.

    Attributes:
        kinds: What happens, in order.
        up: Shortest and longest time of frames before each, seconds.
        down: The same of how long the server is away; starting takes time besides.
        stopped: The same of how long it is stopped.
        seed: What all times are drawn from.
        copies: How often the video is copied and played meanwhile, in turns while the camera is away and when it is
            back.
        noisy: Packets are lost all the time, so that states come and go with them.
    """

    kinds: Sequence[Kind]
    up: tuple[float, float] = (3.5, 8.0)
    down: tuple[float, float] = (0.2, 5.0)
    stopped: tuple[float, float] = (1.5, 8.0)
    seed: int = 8
    copies: int = 4
    noisy: bool = False


def outage_run(engine: Path, folder: Path, plan: Plan, camera: dict[str, Any], options: str) -> dict[str, Any]:
    """Run over a camera that fails as planned, and judge the run.

    Args:
        engine: An engine directory.
        folder: For the files.
        plan: What happens to the camera.
        camera: Options of the RTSP server.
        options: Ours, behind the address.

    Returns:
        ``failed``, ``checks`` and samples.
    """
    log, video = folder / "log", GrowingVideo(folder / "out.mp4")
    outages: list[Outage] = []
    problem = ""
    with RtspServer(log, **camera) as server, _receiver() as receiver:
        words = [str(engine), server.url(options=options)]
        hook = f"--webhook=http://{receiver.place}"
        with WatchedRun(folder / "notes", words, [str(video.path), hook]) as run:
            try:
                run.start()
                run.wait_for_a_frame()
                _carry_out(plan, run, server, video, outages)
            except KeyboardInterrupt:
                problem = "interrupted"
            except RunFailedError as error:
                problem = str(error)
            server.resume()
        posts = [(post["state"], post["grade"], post["message"]) for post in receiver.posts]
    return judged(run, len(plan.kinds), outages, posts, video, problem, noisy=plan.noisy) | {"seed": plan.seed}


def _carry_out(plan: Plan, run: WatchedRun, server: RtspServer, video: GrowingVideo, outages: list[Outage]) -> None:
    rng = random.Random(plan.seed)
    copied = [round((number + 1) * len(plan.kinds) / (plan.copies + 1)) for number in range(plan.copies)]
    started = time.monotonic()
    for number, kind in enumerate(plan.kinds, 1):
        _rest(run, rng.uniform(*plan.up))
        began = time.time_ns()
        killed = kind == "kill"
        (server.kill if killed else server.pause)()
        _rest(run, rng.uniform(*(plan.down if killed else plan.stopped)))
        if number in copied[::2]:
            video.copy(run)
        if killed:
            server.start()
        outages.append(Outage(kind, began, time.time_ns()))
        if not killed:
            server.resume()
        _wait_for_flow(run, server, outages[-1])
        away = (outages[-1].returned_ns - began) / NS_PER_S
        after = outages[-1].flows_after
        shown = "no frame came" if after is None else f"frames {after:.2f} s after its return"
        passed = f"{time.monotonic() - started:6.1f} s: {number}/{len(plan.kinds)}"
        click.echo(f"{passed} {kind}, away {away:.1f} s, {shown}")
        if number in copied[1::2]:
            video.copy(run)
    _rest(run, plan.up[0])


def _rest(run: WatchedRun, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        run.check()
        time.sleep(min(left, 0.5))


def _wait_for_flow(run: WatchedRun, server: RtspServer, outage: Outage) -> None:
    """Wait for the first mask of a frame that left after the return."""
    seen = len(run.frames)
    until = time.monotonic() + GIVEN_UP
    while time.monotonic() < until:
        run.check()
        run.read()
        left = server.left()
        for frame in run.frames[seen:]:
            if (left_ns(frame, left) or 0) >= outage.returned_ns:
                outage.flows_after = (frame.sink_ns - outage.returned_ns) / NS_PER_S
                return
        time.sleep(0.1)


@contextmanager
def _receiver() -> Iterator[Receiver]:
    """A web server that keeps what is posted to it."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
