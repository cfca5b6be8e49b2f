"""A camera watched for ten minutes: is a run's memory flat, and how old are its frames when their masks are there?

    python -m benchmarks.streams.soak [--minutes 10] [-o benchmarks/results/streams/soak.json]

The camera is an RTSP server in a process of its own, over loopback, 1280x720 at 25 frames a second. Each frame carries
its number, and the server logs when it left. The run is a process too (``watched_program.py``), with the shipped FCN-8s
in INT8 at 384x480. Then its network is slowed to half the camera's rate for a while. What must hold is in ``checks`` of
the result; where something does not, the script exits with 1. Nothing else should run meanwhile.

Needs gst-rtsp-server (Debian: ``gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-{good,bad,ugly}``).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.streams.notes import NotedFrame
from benchmarks.streams.verdict import Verdict, finish, output_option, result_path
from benchmarks.streams.watched import RunFailedError, Sample, WatchedRun, left_ns
from fcn_edge.builder.api import build
from fcn_edge.cli.verb import SIZE
from fcn_edge.metrics.durations import NS_PER_MS, NS_PER_S
from fcn_edge.runtime.sources.rtsp import JITTER
from tests.servers.rtsp import RtspServer

RESULTS = result_path("soak")
FPS = 25
FRAME_MS = 1000 / FPS
LOOP = 250
SAMPLE_EVERY = 5.0
MOST_GROWTH = 0.05
FRAMES_ON_THEIR_WAY = 10
"""Frames that may be neither processed nor counted as dropped yet when somebody looks."""


def watch(run: WatchedRun, server: RtspServer, seconds: float, samples: list[Sample]) -> None:
    """Sample the run for so many seconds, and say how it does.

    Raises:
        RunFailedError: It has ended.
    """
    started = time.monotonic()
    for due in np.arange(0.0, seconds, SAMPLE_EVERY):
        while (left := started + due - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            run.check()
        before = len(run.frames)
        run.read()
        samples.append(run.sample())
        click.echo(_progress(run, server, run.frames[before:], samples[-1]))
    time.sleep(max(started + seconds - time.monotonic(), 0))


def _progress(run: WatchedRun, server: RtspServer, new: Sequence[NotedFrame], sample: Sample) -> str:
    ages = ages_ms(new, server.left())
    age = f"{statistics.median(ages):.1f}" if ages else "-"
    seconds = (sample.unix_ns - run.frames[0].sink_ns) / NS_PER_S
    return (
        f"{seconds:6.1f} s: {len(run.frames)} frames, {run.frames[-1].dropped} dropped, age {age} ms, "
        f"{sample.resident_kib / 1024:.1f} MiB, {sample.threads} threads, {sample.descriptors} descriptors"
    )


def ages_ms(frames: Sequence[NotedFrame], left: dict[int, list[int]]) -> list[float]:
    """Milliseconds from the moment that each frame left the server to the sink, where its number could be read."""
    found = [(frame, left_ns(frame, left)) for frame in frames]
    return [round((frame.sink_ns - at) / NS_PER_MS, 1) for frame, at in found if at is not None]


def camera_errors_ms(frames: Sequence[NotedFrame], left: dict[int, list[int]]) -> list[float]:
    """Milliseconds by which the camera's own time of each frame that has one is after the moment at which it left."""
    found = [(frame.camera_ns, left_ns(frame, left)) for frame in frames]
    return [round((told - at) / NS_PER_MS, 1) for told, at in found if told is not None and at is not None]


def growth(samples: Sequence[Sample]) -> float | None:
    """By which share of its median the memory ever exceeds its level in the first tenth of the samples."""
    if not samples:
        return None
    levels = [sample.resident_kib for sample in samples]
    return (max(levels) - statistics.median(levels[: max(len(levels) // 10, 1)])) / statistics.median(levels)


def judged(
    run: WatchedRun,
    left: dict[int, list[int]],
    samples: Sequence[Sample],
    settle: float,
    slowed_ns: int,
    jitter: float,
    problem: str,
) -> dict[str, Any]:
    """What the samples say, and what of it must hold.

    Args:
        run: The run, at its end.
        left: When each number left.
        samples: What the system said of the process.
        settle: Seconds until memory counts.
        slowed_ns: Unix time from which the network was slow.
        jitter: Milliseconds that packets wait for others.
        problem: What ended it early; empty where nothing did.
    """
    verdict = Verdict()
    verdict.equal("ended early", problem, "")
    start = run.frames[0].sink_ns if run.frames else 0
    fast = [frame for frame in run.frames if frame.sink_ns < slowed_ns]
    # those that were on their way then are between the two
    slow = [frame for frame in run.frames if frame.sink_ns >= slowed_ns + NS_PER_S]
    settled = [sample for sample in samples if sample.unix_ns >= start + settle * NS_PER_S]
    # a slow network holds a few images more at once: each phase has a level of its own
    verdict.at_most("memory growth", growth([one for one in settled if one.unix_ns < slowed_ns]), MOST_GROWTH)
    slowed = [sample for sample in samples if sample.unix_ns >= slowed_ns]
    verdict.at_most("memory growth while slow", growth(slowed[len(slowed) // 4 :]), MOST_GROWTH)
    for name in ("threads", "descriptors"):
        counts = [getattr(sample, name) for sample in settled]
        verdict.at_most(f"most {name} less fewest", max(counts) - min(counts) if counts else None, 0)

    ages = ages_ms(fast, left)
    network = statistics.median([frame.network_ns / NS_PER_MS for frame in fast]) if fast else 0.0
    verdict.at_most("median age, ms", statistics.median(ages) if ages else None, 1.5 * FRAME_MS + network + jitter)
    errors = camera_errors_ms(run.frames, left)
    verdict.at_most("camera's time off the log, ms", max(map(abs, errors)) if errors else None, FRAME_MS)
    unread = sum(left_ns(frame, left) is None for frame in run.frames)
    verdict.at_most("frames without a number", unread, 0)

    slow_ages = ages_ms(slow, left)
    third = max(len(slow_ages) // 3, 1)
    grown = statistics.median(slow_ages[-third:]) - statistics.median(slow_ages[:third]) if slow_ages else None
    verdict.at_most("growth of the age while slow, ms", grown, FRAME_MS)
    if run.report:
        last = run.frames[-1].position + 1 if run.frames else 0
        missing = abs(last - run.report["frames"] - run.report["dropped"])
        verdict.at_most("frames neither processed nor counted", missing, FRAMES_ON_THEIR_WAY)
        verdict.equal("error of the run", run.report["error"], None)
    passed = slow[-1].position - slow[0].position if slow else 0
    verdict.at_most("share processed while slow", len(slow) / passed if passed else None, 0.6)
    return {
        "failed": verdict.failed,
        "checks": verdict.checks,
        "frames": len(fast),
        "fps": round(len(fast) / ((fast[-1].sink_ns - start) / NS_PER_S), 3) if len(fast) > 1 else None,
        "dropped": fast[-1].dropped if fast else None,
        "network_ms": round(network, 3),
        "age_ms": quantiles(ages),
        "camera_time_error_ms": quantiles(errors),
        "frames_without_camera_time": sum(frame.camera_ns is None for frame in run.frames),
        "slow": {"frames": len(slow), "of": passed, "age_ms": quantiles(slow_ages)},
        "resident_mib": [round(sample.resident_kib / 1024, 1) for sample in samples],
        "threads": [sample.threads for sample in samples],
        "descriptors": [sample.descriptors for sample in samples],
        "sampled_s": [round((sample.unix_ns - start) / NS_PER_S, 1) for sample in samples],
        "ages_ms": ages,
        "network_times_ms": [round(frame.network_ns / NS_PER_MS, 1) for frame in fast],
        "camera_time_errors_ms": errors,
        "slow_ages_ms": slow_ages,
        "report": run.report,
    }


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Some of them, by name; nothing of nothing."""
    ordered = sorted(values)
    shares = {"min": 0.0, "p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: ordered[round(share * (len(ordered) - 1))] for name, share in shares.items()} if ordered else {}


@click.command()
@click.option("--minutes", type=float, default=10.0, show_default=True, help="At full speed.")
@click.option("--slow-minutes", type=float, default=1.0, show_default=True, help="At half the camera's rate.")
@click.option("--settle", type=float, default=60.0, show_default=True, help="Seconds until memory counts.")
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option("--backend", default="auto", show_default=True)
@click.option("--precision", default="int8", show_default=True)
@click.option("--size", type=SIZE, default=(384, 480), show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the network; the cores when left out.")
@click.option("--camera", type=SIZE, default=(720, 1280), show_default=True, help="Size of its frames.")
@click.option("--bitrate", default=4000, show_default=True, help="Of the camera, kbit/s.")
@click.option("--video", type=click.Path(exists=True, dir_okay=False), help="What the camera shows; a pattern if not.")
@click.option("--transport", type=click.Choice(["tcp", "udp"]), default="tcp", show_default=True)
@click.option("--sink", "sinks", multiple=True, type=click.Path(path_type=Path), help="A further one, such as out.mp4.")
@output_option(RESULTS)
def main(
    minutes: float,
    slow_minutes: float,
    settle: float,
    model: str,
    backend: str,
    precision: str,
    size: tuple[int, int],
    threads: int | None,
    camera: tuple[int, int],
    bitrate: int,
    video: str | None,
    transport: str,
    sinks: tuple[Path, ...],
    output: Path,
) -> None:
    """Watch a camera and write how its run did."""
    about = machine(threads)
    seconds, slow_seconds = 60 * minutes, 60 * slow_minutes
    options: dict[str, Any] = {"size": f"{camera[0]}x{camera[1]}", "fps": FPS, "frames": LOOP, "bitrate": bitrate}
    if video:
        options["video"] = Path(video).resolve()
    samples: list[Sample] = []
    problem = ""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        click.echo(f"Building {model} in {precision} at {size[0]}x{size[1]}.")
        built = build(model, place / "engine", backend=backend, precision=precision, size=size, guard=False)
        with RtspServer(place / "log", **options) as server:
            words = [str(built.engine), server.url(options=f"transport={transport}")]
            more = [*map(str, sinks), f"--slow-to={2 / FPS}", *([f"--threads={threads}"] if threads else [])]
            slowed_ns = time.time_ns() + 10**18  # not yet
            with WatchedRun(place / "notes", words, more) as run:
                try:
                    run.start()
                    run.wait_for_a_frame()
                    watch(run, server, seconds, samples)
                    slowed_ns = time.time_ns()
                    run.slow_down()
                    watch(run, server, slow_seconds, samples)
                except KeyboardInterrupt:
                    problem = "interrupted"
                except RunFailedError as error:
                    problem = str(error)
            left = server.left()
    result: dict[str, Any] = {
        "machine": about,
        "model": model,
        "backend": built.manifest.backend,
        "precision": precision,
        "size": list(size),
        "camera": {name: str(value) for name, value in options.items()},
        "transport": transport,
        "minutes": minutes,
        "slow_minutes": slow_minutes,
    }
    jitter = 1000 * JITTER if transport == "udp" else 0.0
    result |= judged(run, left, samples, settle, slowed_ns, jitter, problem)
    for name, check in result["checks"].items():
        click.echo(f"{'holds' if check['holds'] else 'FAILS'}: {name} {check}")
    finish(output, result)


if __name__ == "__main__":
    main()
