"""One peer in a process of its own: compared with fcn_edge once, then timed for one round after the other.

Thread pools of torch, OpenVINO, ONNX Runtime and OpenCV that live in one process disturb one another.
"""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.peers.peer import Peer
from benchmarks.peers.prepare import compared_frames
from benchmarks.peers.registry import PEERS, peer_class
from benchmarks.peers.task import Task
from fcn_edge.errors import FcnEdgeError


@click.command()
@click.argument("name", type=click.Choice(list(PEERS)))
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--frames", type=click.IntRange(min=1), help="Time so many; compare masks when left out.")
@click.option("--threads", type=click.IntRange(min=1))
def main(name: str, folder: Path, output: Path, frames: int | None, threads: int | None) -> None:
    """Write what came of a peer as JSON; libraries print what they like."""
    kind = peer_class(name)
    task = Task.of(folder.resolve(), threads)
    output = output.resolve()
    result = checked(kind, task) if frames is None else timed(kind, task, frames)
    output.write_text(json.dumps(result))


def checked(kind: type[Peer], task: Task) -> dict[str, Any]:
    """What a peer is and whether its masks are those of fcn_edge; or why it cannot run."""
    about = kind.about()
    versions = {package: _version(package) for package in kind.packages}
    missing = [package for package, version in versions.items() if version is None]
    if missing:
        return about | {"absent": f"{' and '.join(missing)} not installed"}
    try:
        note = kind.prepare(task)
        started = time.perf_counter()
        peer = kind(task)
    except FcnEdgeError as error:  # such as an INT8 engine of a model without a calibration table
        return about | {"absent": error.message}
    about |= {"threads": peer.threads, "versions": versions, "load_seconds": round(time.perf_counter() - started, 2)}
    if note:
        about["note"] = note
    if kind.group in ("call", "stream"):
        about["same_pixels"] = same_pixels(peer, task)
    else:
        peer.milliseconds(task.frames(), 1)
    peer.close()
    return about


def same_pixels(peer: Peer, task: Task) -> dict[str, float]:
    """Share of the pixels with the label of fcn_edge's FP32, on frames of the task's size and of the network's."""
    shares = {}
    with np.load(task.folder / "reference.npz") as reference:
        for size, frames in compared_frames(task).items():
            shares[size] = float(np.mean(np.stack([peer.mask(each) for each in frames]) == reference[size]))
    return shares


def _version(package: str) -> str | None:
    """Version of a distribution; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def timed(kind: type[Peer], task: Task, frames: int) -> dict[str, Any]:
    """Milliseconds a frame of one round."""
    peer, images = kind(task), task.frames()
    peer.milliseconds(images, kind.warm_up)
    times = peer.milliseconds(images, frames)
    peer.close()
    return {"ms": statistics.median(times)}


if __name__ == "__main__":
    main()
