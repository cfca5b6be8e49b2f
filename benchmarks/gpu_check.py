"""Whether fcn_edge's GPU code is right and fast on this machine: any NVIDIA GPU, Jetson or desktop.

    python benchmarks/gpu_check.py [-o results.json] [--provider pycuda|cuda-python|all] [--video F] [--quick]

Exit code 0: all agrees; 4: a kernel or an engine disagrees or fails, or a target is missed; 6: there is no GPU.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
from gpu.agreement import agreement
from gpu.engines import engines
from gpu.facts import clocks, gpu_facts
from gpu.providers import OpenDevice, openers, with_graphs
from gpu.scores import RealScores, frames_of, real_scores
from gpu.sessions import sessions
from gpu.settings import Settings
from gpu.speed import speed
from gpu.summary import failures, lines
from machine import machine

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.cuda.device import PROVIDERS
from fcn_edge.cli.verb import SIZE
from fcn_edge.errors import FcnEdgeError, GuardError, MachineError
from fcn_edge.runtime.segmenter import load

MODEL = "camvid-mobilenet_v2-fcn8s"
FULL = Settings()


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the results as JSON.")
@click.option(
    "--provider",
    type=click.Choice([*PROVIDERS, "all"]),
    default="all",
    show_default=True,
    help="Library that reaches the GPU.",
)
@click.option(
    "--video", type=click.Path(exists=True, path_type=Path), help="Frames to run; rendered streets otherwise."
)
@click.option("--size", type=SIZE, default="512x1024", show_default=True, help="Size of the network's input.")
@click.option(
    "--batch", type=click.IntRange(min=1), default=FULL.batch, show_default=True, help="Frames a timed launch."
)
@click.option("--engines/--no-engines", "with_engines", default=True, help="Build and run engines, too.")
@click.option("--quick", is_flag=True, help="Small frames and few repeats: for a look, not for results.")
def main(
    output: Path | None,
    provider: str,
    video: Path | None,
    size: Size,
    batch: int,
    with_engines: bool,
    quick: bool,
) -> None:
    """Check and time the kernels, sessions and engines on this machine's GPU."""
    settings = Settings(size, batch)
    if quick:
        settings = Settings(size, batch, repeats=3, warm_up_s=0.0, streets=2, seconds=0.2, quick=True)
    try:
        result = checked(openers(provider), video, settings, with_engines)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(*lines(result), sep="\n")
        if result["failures"]:
            raise GuardError(
                f"{len(result['failures'])} checks failed on {result['gpu']['name']}.", "They stand above."
            )
    except FcnEdgeError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def checked(
    found: dict[str, OpenDevice | MachineError], video: Path | None, settings: Settings, with_engines: bool
) -> dict[str, Any]:
    """Everything that is known of the GPU afterwards."""
    frames, source = frames_of(video, settings.streets)
    result: dict[str, Any] = {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(None),
        "settings": asdict(settings),
        "model": MODEL,
        "frames": f"{len(frames)} of {source}",
        "clocks_before": clocks(),
        "providers": {},
        "engines": [],
    }
    with load(MODEL, backend="onnxruntime", size=settings.size) as segmenter:
        real = real_scores(segmenter.session, frames, source)
        for name, opened in found.items():
            if isinstance(opened, MachineError):
                result["providers"][name] = {"absent": str(opened)}
                continue
            with opened() as device:
                result["gpu"] = gpu_facts(device.facts)
            try:
                result["providers"][name] = through(opened, real, settings)
            except MachineError as error:  # the other library may do better
                result["providers"][name] = {"failed": str(error)}
        if with_engines:
            result["engines"] = engines(MODEL, with_graphs(found), segmenter.session, real, settings)
    result["clocks_after"] = clocks()
    result["failures"] = failures(result)
    return result


def through(opened: OpenDevice, real: RealScores, settings: Settings) -> dict[str, Any]:
    """What one CUDA library makes of the GPU."""
    with opened() as device:
        rows: dict[str, Any] = {
            "library": device.facts.library,
            "agreement": agreement(device, real, settings),
            "speed": speed(device, real, settings),
        }
    return rows | {"sessions": sessions(opened, real, settings)}


if __name__ == "__main__":
    main()
