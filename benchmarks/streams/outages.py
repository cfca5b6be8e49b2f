"""A camera that fails again and again: does its run go on by itself, and say once what happens?

    python -m benchmarks.streams.outages [-o benchmarks/results/streams/outages.json]

The camera is an RTSP server in a process of its own. It is killed and started again twenty times, and stopped and let
go on five times, at random moments, while a run of the shipped FCN-8s in INT8 writes an MP4. A second run gets the
camera over UDP, of which the kernel drops 2 % of the packets; that needs root, ``ip`` and ``nft``. What must hold is in
``checks`` of the result; where something does not, the script exits with 1.

Needs gst-rtsp-server (Debian: ``gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-{good,bad,ugly}``).
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from benchmarks.streams.lossy import lossy_run, missing
from benchmarks.streams.outage_run import Plan, outage_run
from benchmarks.streams.outage_verdict import Kind
from benchmarks.streams.verdict import finish, output_option, result_path
from fcn_edge.builder.api import build
from fcn_edge.cli.verb import SIZE

RESULTS = result_path("outages")


@click.command()
@click.option("--kills", type=click.IntRange(0), default=20, show_default=True, help="How often the server is killed.")
@click.option("--stops", type=click.IntRange(0), default=5, show_default=True, help="How often it is stopped.")
@click.option("--copies", type=click.IntRange(0), default=4, show_default=True, help="Of the video, meanwhile.")
@click.option("--lossy-outages", type=click.IntRange(0), default=4, show_default=True, help="Kills and stops over UDP.")
@click.option("--loss", type=click.IntRange(0, 50), default=2, show_default=True, help="Percent of packets; 0: no UDP.")
@click.option("--seed", type=int, default=8, show_default=True, help="What all moments are drawn from.")
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option("--backend", default="auto", show_default=True)
@click.option("--precision", default="int8", show_default=True)
@click.option("--size", type=SIZE, default=(384, 480), show_default=True)
@click.option("--camera", type=SIZE, default=(360, 640), show_default=True, help="Size of its frames.")
@output_option(RESULTS)
def main(
    kills: int,
    stops: int,
    copies: int,
    lossy_outages: int,
    loss: int,
    seed: int,
    model: str,
    backend: str,
    precision: str,
    size: tuple[int, int],
    camera: tuple[int, int],
    output: Path,
) -> None:
    """Let a camera fail and write how its run did."""
    about = machine(None)
    names: dict[Kind, int] = {"kill": kills, "stop": stops}
    kinds = [kind for kind, count in names.items() for _ in range(count)]
    random.Random(seed).shuffle(kinds)
    served = {"size": f"{camera[0]}x{camera[1]}", "fps": 25, "gop": 25, "frames": 100}
    result: dict[str, Any] = {
        "machine": about,
        "model": model,
        "precision": precision,
        "size": list(size),
        "camera": served,
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        click.echo(f"Building {model} in {precision} at {size[0]}x{size[1]}.")
        engine = build(model, place / "engine", backend=backend, precision=precision, size=size, guard=False).engine
        plan = Plan(kinds, seed=seed, copies=copies)
        if kinds:
            result["tcp"] = outage_run(engine, place, plan, served, "transport=tcp")
        if loss and (why := missing()):
            click.echo(f"Without lost packets: {why}.")
            result["lossy"] = {"skipped": why, "failed": []}
        elif loss and "ended early" not in result.get("tcp", {}).get("failed", ()):
            result["lossy"] = lossy_run(engine, place, loss, lossy_outages, seed)
    failed = [f"{part}: {name}" for part in ("tcp", "lossy") if part in result for name in result[part]["failed"]]
    for name in failed:
        part, _, check = name.partition(": ")
        click.echo(f"FAILS: {name} {result[part]['checks'][check]}")
    if not failed:
        click.echo("All checks hold.")
    finish(output, result | {"failed": failed})


if __name__ == "__main__":
    main()
