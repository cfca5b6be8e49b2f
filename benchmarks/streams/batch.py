"""Four sources on one engine: does one that takes four frames at once do more than one that takes them in turns?

    python -m benchmarks.streams.batch [--rounds 7] [-o benchmarks/results/streams/batch.json]

One process on the CPU. For every backend, precision and size both engines are built and loaded, then run in alternating
rounds over the same rendered frames of 1280x720 from memory, in the pipeline of ``fcn-edge run``: as files, where every
frame is processed and frames a second count, and as cameras of 25 frames a second, where the newest frame is taken and
its age counts as well. Nothing else should run meanwhile.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.streams.memory import Image, Memory, rendered_street
from benchmarks.streams.verdict import finish, output_option, result_path
from fcn_edge.builder.api import build
from fcn_edge.cli.verb import SIZE
from fcn_edge.metrics.durations import NS_PER_MS
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.system.thread_pools import owned_thread_pools

RESULTS = result_path("batch")
SOURCES = 4
FRAME_SIZE = (720, 1280)
DISTINCT = 8
"""Frames that each source repeats: rendering is not what is measured."""

CAMERA_FPS = 25.0


def round_of(segmenter: Segmenter, streets: Sequence[Sequence[Image]], frames: int, *, live: bool) -> dict[str, Any]:
    """One round of a segmenter over all sources: what it did in which time.

    Args:
        segmenter: Runs the network.
        streets: The frames of each source.
        frames: Results of each source; of cameras, of all of them together ``frames`` times their number.
        live: The sources are cameras.
    """
    in_all = frames * len(streets)
    pipeline = Pipeline(segmenter.session_for_stream, frames=in_all)
    feeds = [
        pipeline.add(Memory(f"{seed}", images, None if live else frames, CAMERA_FPS if live else None))
        for seed, images in enumerate(streets)
    ]
    latencies, network = [], []
    cpu, started = time.process_time(), time.perf_counter()
    with pipeline:
        for result in pipeline:
            latencies.append(result.latency_ns / NS_PER_MS)
            network.append(result.segmentation.timing.infer / NS_PER_MS)
    seconds = time.perf_counter() - started
    return {
        "fps": round(in_all / seconds, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "frames": [feed.statistics.frames for feed in feeds],
        "dropped": [feed.statistics.dropped for feed in feeds],
        "latency_ms": {f"p{q}": round(float(np.percentile(latencies, q)), 3) for q in (50, 90)},
        "network_ms": round(statistics.median(network), 3),
    }


def compared(
    engines: dict[int, Segmenter], streets: Sequence[Sequence[Image]], rounds: int, frames: int, *, live: bool
) -> dict[str, Any]:
    """Rounds of the engines in turns, the order turning from round to round, and their medians."""
    samples: dict[int, list[dict[str, Any]]] = {batch: [] for batch in engines}
    for segmenter in engines.values():
        round_of(segmenter, streets, 2, live=live)
    for turn in range(rounds):
        order = list(engines)[:: -1 if turn % 2 else 1]
        for batch in order:
            samples[batch].append(round_of(engines[batch], streets, frames, live=live))
    one, several = engines
    fps = {batch: statistics.median(each["fps"] for each in samples[batch]) for batch in engines}
    latency = {batch: statistics.median(each["latency_ms"]["p50"] for each in samples[batch]) for batch in engines}
    ratios = [b["fps"] / a["fps"] for a, b in zip(samples[one], samples[several], strict=True)]
    return {
        "sources": "cameras" if live else "files",
        "samples": {f"batch {batch}": each for batch, each in samples.items()},
        "median_fps": {f"batch {batch}": value for batch, value in fps.items()},
        "median_latency_ms": {f"batch {batch}": value for batch, value in latency.items()},
        "times_batch_1": round(statistics.median(ratios), 4),
    }


def same_pixels(engines: dict[int, Segmenter], streets: Sequence[Sequence[Image]]) -> float:
    """Share of the pixels that all engines give the same label."""
    images = [images[0] for images in streets]
    masks = [segmenter.session.labels_batch(images) for segmenter in engines.values()]
    return float(np.mean([np.mean(a == b) for a, b in zip(*masks, strict=True)]))


def rendered_streets() -> list[list[Image]]:
    """The frames of each source, of a street of its own."""
    return [rendered_street(seed, FRAME_SIZE, DISTINCT) for seed in range(SOURCES)]


@click.command()
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option("--size", "sizes", type=SIZE, multiple=True, default=[(384, 480), (512, 1024)], show_default=True)
@click.option("--backend", "backends", multiple=True, default=["onnxruntime", "openvino"], show_default=True)
@click.option("--precision", "precisions", multiple=True, default=["fp32", "int8"], show_default=True)
@click.option(
    "--batch", type=click.IntRange(2, 16), default=SOURCES, show_default=True, help="What 1 is compared with."
)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=25, show_default=True, type=click.IntRange(min=1), help="Of each source in a round.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the network; the cores when left out.")
@output_option(RESULTS)
def main(
    model: str,
    sizes: tuple[tuple[int, int], ...],
    backends: tuple[str, ...],
    precisions: tuple[str, ...],
    batch: int,
    rounds: int,
    frames: int,
    threads: int | None,
    output: Path,
) -> None:
    """Compare engines of batch 1 and batch N on four sources."""
    result: dict[str, Any] = {
        "machine": machine(threads),
        "model": model,
        "rounds": rounds,
        "frames": frames,
        "frame_size": list(FRAME_SIZE),
        "camera_fps": CAMERA_FPS,
    }
    streets = rendered_streets()
    rows = []
    ways = [(size, backend, precision) for size in sizes for backend in backends for precision in precisions]
    with owned_thread_pools(), tempfile.TemporaryDirectory() as folder:
        for size, backend, precision in ways:
            engines = {}
            for count in (1, batch):
                place = Path(folder) / f"{size[0]}x{size[1]}.{backend}.{precision}.b{count}"
                how: dict[str, Any] = {"backend": backend, "precision": precision, "size": size, "guard": False}
                engines[count] = load(build(model, place, batch=count, **how).engine, threads=threads)
            row = {"size": list(size), "backend": backend, "precision": precision}
            row["same_pixels"] = same_pixels(engines, streets)
            for live in (False, True):
                rows.append({**row, **compared(engines, streets, rounds, frames, live=live)})
                told = {key: rows[-1][key] for key in ("median_fps", "median_latency_ms", "times_batch_1")}
                click.echo(f"{place.name[:-3]} {rows[-1]['sources']}: {json.dumps(told)}")
            for segmenter in engines.values():
                segmenter.close()
    finish(output, result | {"rows": rows})


if __name__ == "__main__":
    main()
