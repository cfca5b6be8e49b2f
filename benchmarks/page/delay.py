"""From the camera to the picture in the browser: how long, while the shipped FCN-8s runs?

    python -m benchmarks.page.delay [--seconds 60] [-o benchmarks/results/page/delay.json]

The camera is an RTSP server over loopback, 480x640 at 10 and at 25 frames a second; it logs when each picture left. The
run is a process, with a live page in a Chromium without a window. Each picture carries its number, which a script in
the page reads off the video when the browser presents it; the delay ends when that picture is to be on the screen.
Camera, network, encoder and browser share the processor. What must hold is in ``checks``; where something does
not, the script exits with 1.

Needs gst-rtsp-server and chromium.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.page.run import page_run
from benchmarks.page.watching import chromium, delays_ms, shown_pictures
from benchmarks.streams.verdict import Verdict, finish, output_option
from tests.servers.rtsp import RtspServer

RESULTS = Path(__file__).resolve().parents[1] / "results" / "page" / "delay.json"
MODEL = "camvid-mobilenet_v2-fcn8s"
SETTLING = 8.0
MOST_MS = 300.0


def measured(fps: int, seconds: float) -> dict[str, Any]:
    """The delays with a camera of so many frames a second."""
    with (
        tempfile.TemporaryDirectory() as folder,
        RtspServer(Path(folder) / "log", size="480x640", fps=fps, gop=fps) as camera,
        page_run(MODEL, camera.url()) as run,
        chromium(run.url) as (page, problems),
    ):
        page.wait_for_timeout(1000 * SETTLING)
        shown = shown_pictures(page, seconds)
        found = delays_ms(shown, camera.left())
        status = page.evaluate("fetch('/status.json').then(answer => answer.json())")
    [source] = status["sources"]
    return {
        "camera_fps": fps,
        "shown": len(found),
        "shown_fps": round(len(found) / seconds, 2),
        "camera_to_screen_ms": {f"p{q}": round(float(np.percentile(found, q)), 1) for q in (50, 90, 99, 100)},
        "capture_to_mask_ms": source["latency_ms"],
        "run_fps": source["fps"],
        "problems": problems,
    }


@click.command()
@click.option("--seconds", type=click.FloatRange(min=5), default=60.0, show_default=True, help="Of each camera.")
@output_option(RESULTS)
def main(seconds: float, output: Path) -> None:
    """From the camera to the picture in the browser."""
    facts = machine(None)
    rows = [measured(fps, seconds) for fps in (10, 25)]
    verdict = Verdict()
    for row in rows:
        click.echo(row)
        verdict.at_most(f"p50 at {row['camera_fps']} fps (ms)", row["camera_to_screen_ms"]["p50"], MOST_MS)
        verdict.equal(f"problems at {row['camera_fps']} fps", row["problems"], [])
    finish(
        output,
        {"machine": facts, "model": MODEL, "rows": rows, "checks": verdict.checks, "failed": verdict.failed},
    )


if __name__ == "__main__":
    main()
