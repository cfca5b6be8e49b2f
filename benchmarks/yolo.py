"""A network of Ultralytics in fcn_edge beside Ultralytics itself: the same file, frames and masks, from frame to mask.

    python -m benchmarks.yolo yolo26n-sem.onnx --python /path/to/venv/bin/python [--size 512x1024] [--rounds 20]

The file is what ``yolo export format=onnx`` wrote, at the size given. Each side has a process of its own, loaded and
warm, and both take the same frames, one call after the other, in turns of a few frames: what else the machine does
meets both alike. Ultralytics is under the AGPL: it runs as a program of another environment (``yolo_predict.py``).
Its predict enlarges a finished mask by nearest neighbor, where fcn_edge samples the scores at each pixel: masks are
compared on the frames, and again on frames that its letterbox does not scale, where both define the same mask.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from benchmarks.machine import machine
from benchmarks.streams.memory import rendered_street
from benchmarks.streams.verdict import finish
from fcn_edge.artifacts.spec import Size
from fcn_edge.cli.verb import SIZE
from fcn_edge.datasets.plain_images import image_files, images_of
from fcn_edge.export.api import export_onnx

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results" / "yolo.json"
DISTINCT = 8
FASTER, ALIKE = 1.4, 0.99
"""Bars: how many times as fast, and the share of pixels with the same label where both define the same mask."""

BESIDE = 64
"""Columns that a frame lacks to the network's width, so that there is something to letterbox."""


class Side:
    """One side in a process of its own.

    Args:
        command: What starts it; it takes the folder with ``frames.npy`` last.
    """

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about: dict[str, Any] = self._answer()

    def ask(self, what: str, *arguments: object) -> dict[str, Any]:
        """What it answers: the milliseconds of ``time N``, or nothing for ``masks FRAMES MASKS``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([what, *map(str, arguments)]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries print what they like
                found: dict[str, Any] = json.loads(line)
                return found
        raise click.ClickException("One side has ended; what it said stands above.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--python", required=True, help="The interpreter that has Ultralytics.")
@click.option("--size", type=SIZE, default=(512, 1024), show_default=True, help="Size that the file was exported at.")
@click.option("--frame-size", type=SIZE, default=(720, 1280), show_default=True)
@click.option("--images", type=click.Path(exists=True, path_type=Path), help="Frames; rendered ones when left out.")
@click.option("--engine", type=click.Path(exists=True, path_type=Path), help="An engine of it, such as one in INT8.")
@click.option("--backend", default="auto", show_default=True, help="What runs the network where no engine is given.")
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=5, show_default=True, type=click.IntRange(min=1), help="Frames of a turn.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=RESULTS, show_default=True)
def main(
    file: Path,
    python: str,
    size: Size,
    frame_size: Size,
    images: Path | None,
    engine: Path | None,
    backend: str,
    rounds: int,
    frames: int,
    output: Path,
) -> None:
    """Time FILE in fcn_edge and in Ultralytics by turns; ends with 1 where a bar is missed."""
    if images is None:
        given = rendered_street(0, frame_size, DISTINCT)
    else:
        found = [image for image, _ in zip(images_of(image_files(images)), range(DISTINCT), strict=False)]
        given = [np.asarray(cv2.resize(image, frame_size[::-1]), np.uint8) for image in found]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "frame.npy", np.stack(given))
        np.save(folder / "network.npy", np.stack([cv2.resize(each, (size[1] - BESIDE, size[0])) for each in given]))
        (folder / "net.onnx").write_bytes(file.read_bytes())
        export_onnx(folder / "net.onnx", folder / "ours.onnx", images=images)
        model = engine or folder / "ours.onnx"
        ours = Side([sys.executable, "-m", "benchmarks.yolo_ours", str(model), backend, *map(str, size), name])
        theirs = Side([python, str(FOLDER / "yolo_predict.py"), *map(str, size), name])
        alike = {kind: _alike(ours, theirs, folder, kind) for kind in ("frame", "network")}
        ratios, times = [], {"ours": [], "theirs": []}
        for turn in range(rounds):
            for key, side in (("ours", ours), ("theirs", theirs))[:: 1 if turn % 2 else -1]:
                times[key].append(side.ask("time", frames)["ms"])
            ratios.append(times["theirs"][-1] / times["ours"][-1])
        result: dict[str, Any] = {
            "machine": machine(None),
            "file": file.name,
            "size": size,
            "frame_size": frame_size,
            "frames": "rendered" if images is None else "images",
            "ours": ours.about | {"median_ms": round(statistics.median(times["ours"]), 2)},
            "theirs": theirs.about | {"median_ms": round(statistics.median(times["theirs"]), 2)},
            "round_ms": {key: [round(each, 2) for each in values] for key, values in times.items()},
            "times_as_fast": round(statistics.median(ratios), 3),
            "range": [round(min(ratios), 3), round(max(ratios), 3)],
            "same_pixels": alike,
        }
        ours.close()
        theirs.close()
    # what INT8 changes is judged against its own FP32, by the guard of fcn-edge build
    judged = ours.about["precision"] == "fp32"
    holds = {"times_as_fast": result["times_as_fast"] >= FASTER, "masks": not judged or alike["network"] >= ALIKE}
    result["failed"] = [name for name, fine in holds.items() if not fine]
    click.echo(
        f"{result['ours']['median_ms']} ms, Ultralytics {result['theirs']['median_ms']} ms: "
        f"{result['times_as_fast']} times as fast ({result['range'][0]} to {result['range'][1]}); pixels alike: "
        f"{alike['frame']:.4f} of the frames, {alike['network']:.4f} where nothing is scaled"
    )
    finish(output, result)


def _alike(ours: Side, theirs: Side, folder: Path, kind: str) -> float:
    """Share of the pixels of frames of a size that both give the same class."""
    masks = []
    for key, side in (("ours", ours), ("theirs", theirs)):
        side.ask("masks", folder / f"{kind}.npy", folder / f"{key}.npy")
        masks.append(np.load(folder / f"{key}.npy"))
    return float(np.mean(masks[0] == masks[1]))


if __name__ == "__main__":
    main()
