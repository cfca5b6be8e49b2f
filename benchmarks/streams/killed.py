"""What kill -9 leaves of a video: runs in the pace of a camera, killed at random moments.

    python -m benchmarks.streams.killed [--count 10] [--others 3] [-o benchmarks/results/streams/killed.json]

Each is the command with a shipped model over rendered streets, ten frames a second so that a busy machine keeps up.
One after the other, ``--count`` of them write MP4, then ``--others`` each MKV, MOV and AVI. What the file holds is
decoded by FFmpeg. The seconds that were lost count from the kill: they hold what the run itself had not finished, too.
More than ``ALLOWED`` of them, or a file that does not play, fails the script.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import click

from benchmarks.machine import machine
from benchmarks.streams.verdict import finish, output_option, result_path

__all__ = ["ALLOWED", "killed_run"]

RESULTS = result_path("killed")
ALLOWED = 2.0
MODEL = "camvid-mobilenet_v2-fcn32s"
STREET = "synthetic://street?size=120x160&fps=10&frames=100000"
OTHERS = (".mkv", ".mov", ".avi")


def killed_run(path: Path, seconds: float, words: list[str]) -> dict[str, Any]:
    """A run that is killed so many seconds after its first frame was captured.

    Args:
        path: The video.
        seconds: When it is killed.
        words: Model and source, and what else the command takes.

    Returns:
        Frames that came through the run, frames that the video holds, and the seconds of video that are missing up to
        the kill (``lost_seconds``) and up to the last frame that came through (``lost_of_run_seconds``).
    """
    command = [sys.executable, "-m", "fcn_edge", "run", *words, str(path), "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        started = first["captured_ns"] / 1e9
        time.sleep(max(started + seconds - time.time(), 0))
        process.kill()
        killed = time.time()
        rest = process.stdout.read().splitlines(keepends=True)
        lines = [first, *(json.loads(line) for line in rest if line.endswith("\n"))]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        # AVI has no pts; no frame is coded out of order
        reached = float((frames[-1].dts if path.suffix == ".avi" else frames[-1].pts) * stream.time_base)
    return {
        "file": path.name,
        "killed_after": round(killed - started, 3),
        "frames": len(lines),
        "decoded": len(frames),
        "lost_seconds": round(killed - started - reached, 3),
        "lost_of_run_seconds": round(lines[-1]["time"] - reached, 3),
    }


@click.command()
@click.option("--count", type=click.IntRange(1), default=10, show_default=True, help="How many MP4s.")
@click.option("--others", type=click.IntRange(0), default=3, show_default=True, help="How many of each other kind.")
@click.option("--seed", type=int, default=8, show_default=True, help="What the moments are drawn from.")
@click.option("--longest", type=float, default=12.0, show_default=True, help="Seconds of the longest run.")
@output_option(RESULTS)
def main(count: int, others: int, seed: int, longest: float, output: Path) -> None:
    """Kill runs and write what is left of each."""
    chosen = random.Random(seed)
    about = machine(None)
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        for number, suffix in enumerate([".mp4"] * count + [other for other in OTHERS for _ in range(others)]):
            words = [MODEL, STREET, "--size", "128x160", "--realtime"]
            path = Path(folder) / f"{number}{suffix}"
            samples.append(killed_run(path, chosen.uniform(min(2.0, longest), longest), words))
            click.echo(json.dumps(samples[-1]))
    most: dict[str, float] = {}
    for sample in samples:
        suffix = Path(sample["file"]).suffix
        most[suffix] = max(sample["lost_seconds"], most.get(suffix, 0.0))
    result = {
        "machine": about,
        "seed": seed,
        "failed": [f"{suffix}: {lost} s" for suffix, lost in most.items() if lost > ALLOWED],
        "most_lost_seconds": most,
        "samples": samples,
    }
    finish(output, result)


if __name__ == "__main__":
    main()
