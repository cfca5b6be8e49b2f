"""How much of the bare network's speed ``fcn-edge run`` keeps, and how it compares with the usual ways.

    python benchmarks/run_speed.py --model camvid-mobilenet_v2-fcn8s [--checkpoint F] [--rounds 7] [-o results.json]

One process. In every round each contender runs over the same frames, in an order that turns from round to round; the
medians over the rounds are compared. The video is a rendered street of 1280x720, made by the script.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from contenders import Bare, Contender, OneByOne, Run, TorchEager, UsualWay, usual_graph
from machine import machine

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import Size
from fcn_edge.cli.verb import SIZE
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.runtime.sources import open_source
from fcn_edge.street import Street

VIDEO_SIZE = (720, 1280)
RENDERED_SIZE = (360, 640)
"""The street is rendered at half the size and scaled up: the time goes into the networks, not into the street."""

KEPT_OF_BARE = {(512, 1024): 0.92, (384, 480): 0.80}
"""Share of the bare network's speed that ``run`` should keep."""

COMPARED_AT = (512, 1024)
TIMES_USUAL, TIMES_EAGER = 1.3, 2.0
HELP_SECONDS = 0.3
WARM_UP = 3


@click.command()
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option(
    "--checkpoint", type=click.Path(exists=True, path_type=Path), help="Checkpoint of the model, for torch eager."
)
@click.option("--size", "sizes", type=SIZE, multiple=True, help="Network size; more than one may be given.")
@click.option("--video", type=click.Path(exists=True, path_type=Path), help="A video in place of the rendered one.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=60, show_default=True, type=click.IntRange(min=2), help="Frames a round.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the network; the cores when left out.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the results as JSON.")
def main(
    model: str,
    checkpoint: Path | None,
    sizes: tuple[Size, ...],
    video: Path | None,
    rounds: int,
    frames: int,
    threads: int | None,
    output: Path | None,
) -> None:
    """Compare fcn-edge run with the bare network and with the usual ways, on the CPU."""
    result: dict[str, Any] = {"machine": machine(threads), "model": model, "rounds": rounds, "frames": frames}
    result["help"] = help_time(rounds)
    print(f"fcn-edge --help: {result['help']['seconds']:.3f} s (at most {HELP_SECONDS})")
    with tempfile.TemporaryDirectory() as folder:
        if video is None:
            print(f"Rendering {frames} frames ...")
            video = rendered_video(Path(folder) / "street.mp4", frames)
        with open_source(video) as source:
            frames = result["frames"] = min(frames, source.length or frames)
        result["sizes"] = [
            compared(model, checkpoint, size, video, Path(folder), rounds, frames, threads)
            for size in sizes or tuple(KEPT_OF_BARE)
        ]
    result["load_after"] = os.getloadavg()
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(result, indent=2) + "\n")


def compared(
    model: str,
    checkpoint: Path | None,
    size: Size,
    video: Path,
    folder: Path,
    rounds: int,
    frames: int,
    threads: int | None,
) -> dict[str, Any]:
    """All contenders at one network size: milliseconds a frame of every round, medians, ratios."""
    print(f"\n{size[0]}x{size[1]}, {rounds} rounds of {frames} frames")
    path = resolved_model(model).path
    with load(model, size=size, backend="onnxruntime", threads=threads) as segmenter:
        session = segmenter.session
        graph = folder / "usual.onnx"
        usual_graph(path, segmenter.spec, graph)
        usual = UsualWay(graph, segmenter.spec, size, video)
        contenders: list[Contender] = [
            Bare(session, video),
            Run(session, video, overlay=False),
            Run(session, video, overlay=True),
            usual,
        ]
        if checkpoint is not None:
            contenders.append(TorchEager(checkpoint, size, video))
        times = alternating(contenders, rounds, frames)
        others = [contender for contender in contenders if isinstance(contender, OneByOne)]
        agreement = {other.name: mask_agreement(segmenter, other, video) for other in others}
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"  {name:18} {medians[name]:8.2f} ms a frame ({min(values):.2f} to {max(values):.2f})")
    ratios = {"of bare": round(medians["bare"] / medians["run"], 4)}
    ratios |= {f"times {other.name}": round(medians[other.name] / medians["run with overlays"], 4) for other in others}
    targets = {"of bare": KEPT_OF_BARE.get(size)}
    if size == COMPARED_AT:
        targets |= {"times usual way": TIMES_USUAL, "times torch eager": TIMES_EAGER}
    for name, ratio in ratios.items():
        target = targets.get(name)
        print(f"  {ratio:.3f} {name}" + ("" if target is None else f" (at least {target})"))
    for name, shares in agreement.items():
        print(
            f"  masks like the {name}: {shares['network_size']:.6f} at the network's size, {shares['video']:.6f} here"
        )
    return {
        "size": size,
        "milliseconds": times,
        "medians": medians,
        "ratios": ratios,
        "targets": targets,
        "agreement": agreement,
    }


def alternating(contenders: Sequence[Contender], rounds: int, frames: int) -> dict[str, list[float]]:
    """Milliseconds a frame by contender and round; the order turns by one from round to round."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.seconds(min(WARM_UP, frames))
    for turn in range(rounds):
        first = turn % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            times[contender.name].append(round(contender.seconds(frames) * 1000, 4))
    return times


def mask_agreement(segmenter: Segmenter, other: OneByOne, video: Path) -> dict[str, float]:
    """Share of the pixels with the same label: on frames of the network's own size, and on those of the video.

    On the video's frames the usual ways enlarge a mask by nearest neighbor, where ours samples the scores at each
    pixel: a few pixels on class borders differ. At the network's size both define the same mask.
    """
    with open_source(video) as source:
        frame = next(source).image
    small = cv2.resize(frame, segmenter.size[::-1], interpolation=cv2.INTER_AREA)
    return {
        name: float(np.mean(segmenter(image).labels == other.labels(image)))
        for name, image in (("network_size", small), ("video", frame))
    }


def rendered_video(path: Path, frames: int) -> Path:
    """A rendered drive of 1280x720 as MPEG-4."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, VIDEO_SIZE[::-1])
    for image, _ in Street(seed=1, size=RENDERED_SIZE, frames=frames):
        writer.write(cv2.resize(image, VIDEO_SIZE[::-1], interpolation=cv2.INTER_CUBIC))
    writer.release()
    return path


def help_time(rounds: int) -> dict[str, Any]:
    """Seconds that ``fcn-edge --help`` takes in a process of its own."""
    command = shutil.which("fcn-edge", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if command is None:
        raise click.ClickException("fcn-edge is not installed beside this Python: pip install -e .")
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        subprocess.run([command, "--help"], check=True, capture_output=True)
        times.append(round(time.perf_counter() - started, 4))
    return {"seconds": statistics.median(times[1:]), "target": HELP_SECONDS, "rounds": times[1:]}


if __name__ == "__main__":
    main()
