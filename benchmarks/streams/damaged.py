"""What becomes of a run whose video is damaged: 200 files, read with PyAV and with OpenCV, and streams of 40 of them.

    python -m benchmarks.streams.damaged [--count 200] [--streams 40] [-o benchmarks/results/streams/damaged.json]

Each file goes through a whole run, with a stand-in for the network, to a video and a folder of masks. The first
``--streams`` of them come through a named pipe, too, and from an HTTP server, where PyAV reads them. That happens in
another process: a crash, a run that takes longer than ``--timeout`` seconds, and an end without a frame or a sentence
fail the script.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from benchmarks.streams.damages import DamagedVideo, damaged_videos
from benchmarks.streams.verdict import finish, output_option, result_path
from fcn_edge.errors import FcnEdgeError
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources import video
from fcn_edge.testing.engine import FakeEngine
from tests.servers.web import WebServer

RESULTS = result_path("damaged")
FILES = ("pyav", "opencv")
"""What reads files."""
STREAMS = ("pipe", "http")
"""What streams come through."""
FAILURES = ("crashed", "hung", "wrong")


@contextmanager
def _piped(path: Path, pipe: Path) -> Iterator[str]:
    """Another program writes the file into a named pipe."""
    os.mkfifo(pipe)
    writer = subprocess.Popen(["sh", "-c", 'exec cat "$0" > "$1"', str(path), str(pipe)], stderr=subprocess.DEVNULL)
    try:
        yield str(pipe)
    finally:
        writer.kill()  # nobody may have read to the end
        writer.wait()
        pipe.unlink()


@contextmanager
def _served(path: Path) -> Iterator[str]:
    """A server has the file."""
    with WebServer() as web:
        web.files[f"/{path.name}"] = path.read_bytes()
        yield web.url(f"/{path.name}")


@contextmanager
def _source(path: Path, way: str, folder: Path) -> Iterator[str]:
    """What names the source of a run that reads the file in one of ``FILES`` or ``STREAMS``."""
    if way == "pipe":
        with _piped(path, folder / f"{path.stem}-pipe") as source:
            yield source
    elif way == "http":
        with _served(path) as source:
            yield source
    else:
        yield str(path)


def outcome(path: Path, way: str, folder: Path) -> dict[str, Any]:
    """What a run made of a file: in a process of its own."""
    video.has_pyav = lambda: way != "opencv"  # type: ignore[assignment]
    started = time.perf_counter()
    error, frames, damaged = "", 0, 0
    with _source(path, way, folder) as source:
        try:
            report = run(source, Segmenter(FakeEngine()), [folder / "out.mp4", folder / "masks"])
            frames, damaged = report.frames, report.sources[0].damaged
            if report.error is not None:
                raise report.error
        except FcnEdgeError as caught:
            error = caught.message.replace(source, "FILE")
            if caught.exit_code != 5:
                error = f"exit code {caught.exit_code}: {error}"
    return {"frames": frames, "damaged": damaged, "error": error, "seconds": round(time.perf_counter() - started, 3)}


class _Pool:
    """One process that runs files one after the other, and a new one after a crash or a hang."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._pool = self._new()

    def outcome(self, damaged: DamagedVideo, way: str, folder: Path) -> dict[str, Any]:
        try:
            return self._pool.submit(outcome, damaged.path, way, folder).result(self._timeout)
        except BrokenProcessPool:
            self._pool = self._new()
            return {"crashed": True}
        except NotInTime:
            for process in list(self._pool._processes.values()):
                process.kill()
            self._pool = self._new()
            return {"hung": True}

    def close(self) -> None:
        self._pool.shutdown()

    @staticmethod
    def _new() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def end_of(result: dict[str, Any]) -> str:
    """In which way a run ended."""
    if "crashed" in result or "hung" in result:
        return "crashed" if "crashed" in result else "hung"
    if result["error"].startswith("exit code") or "\n" in result["error"] or not (result["error"] or result["frames"]):
        return "wrong"
    if not result["error"]:
        return "frames"
    return "frames, then one sentence" if result["frames"] else "one sentence"


@click.command()
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="How many files.")
@click.option("--streams", type=click.IntRange(0), default=40, show_default=True, help="How many come as streams, too.")
@click.option("--seed", type=int, default=8, show_default=True, help="What the damage is drawn from.")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds that a run may take.")
@output_option(RESULTS)
def main(count: int, streams: int, seed: int, timeout: float, output: Path) -> None:
    """Run over damaged files and write what became of each."""
    about = machine(None)
    pool = _Pool(timeout)
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        sinks = Path(folder) / "sinks"
        sinks.mkdir()
        for number, damaged in enumerate(damaged_videos(Path(folder), count, seed)):
            ways = (*FILES, *STREAMS) if number < streams else FILES
            runs = {way: pool.outcome(damaged, way, sinks) for way in ways}
            samples.append({"file": damaged.path.name, "kind": damaged.kind, "whole": damaged.whole, **runs})
    pool.close()
    ends = {
        way: dict(Counter(end_of(sample[way]) for sample in samples if way in sample)) for way in (*FILES, *STREAMS)
    }
    result = {
        "machine": about,
        "seed": seed,
        "failed": [f"{way}: {end}" for way, found in ends.items() for end in FAILURES if end in found],
        "ends": ends,
        "samples": samples,
    }
    click.echo(json.dumps(ends))
    finish(output, result)


if __name__ == "__main__":
    main()
