"""Commands that are killed at random moments: what they write is whole or absent, and nothing else is left for long.

``FCN_EDGE_KILLS=20 make test-system`` kills each of the five verbs twenty times, a hundred in all; four without it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from tests.e2e.killed_command import begun, server
from tests.tiny_network import TinyNetwork

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.engine_manifest import read_manifest, verify_engine
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.io.images import read_labels
from fcn_edge.nets.checkpoints import load_checkpoint

pytestmark = [pytest.mark.system, pytest.mark.timeout(1800)]

KILLS = int(os.environ.get("FCN_EDGE_KILLS", "4"))
STREET = "synthetic://street?seed=3&size=64x96&frames="
TRAIN = "train --encoder mobilenet_v2 --decoder fcn16s --crop 64x96 --size 64x96 --batch 2 --workers 0 --threads 1"


def is_whole_onnx(path: Path) -> None:
    assert resolved_model(path).digest


def is_whole_engine(path: Path) -> None:
    verify_engine(path, read_manifest(path))


def is_whole_table(path: Path) -> None:
    assert read_table(path).tensors


def is_whole_checkpoint(path: Path) -> None:
    load_checkpoint(path)


def are_whole_masks(path: Path) -> None:
    masks = [one for one in path.iterdir() if not one.name.startswith(".")]
    assert all(read_labels(mask).shape == (64, 96) for mask in masks)


@dataclass(frozen=True)
class Verb:
    """A command and what it writes.

    Attributes:
        arguments: The command line, with ``{net}`` and ``{tiny}`` for the models.
        outputs: What is written, and what finds out whether it is whole; None for what plays however it ended.
    """

    arguments: str
    outputs: dict[str, Callable[[Path], None] | None]


VERBS = {
    "export": Verb("export {net} -o net.onnx --size 64x96", {"net.onnx": is_whole_onnx}),
    "calibrate": Verb(
        "calibrate {tiny} --images " + STREET + "4 -n 4 -o table.json --save-manifest images.json",
        {"table.json": is_whole_table},
    ),
    "build": Verb("build {tiny} --backend onnxruntime --precision fp32 -o engine", {"engine": is_whole_engine}),
    "train": Verb(
        f"{TRAIN} --data {STREET}4 --epochs 1 -o net.safetensors",
        {"net.safetensors": is_whole_checkpoint, "net.fcn32s.safetensors": is_whole_checkpoint},
    ),
    "run": Verb("run {tiny} " + STREET + "60 masks out.mp4", {"masks": are_whole_masks, "out.mp4": None}),
}


Begin = Callable[..., ForkServerProcess]


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Begin:
    """Begins a command in a folder: ``begin(folder, "inspect", "net.onnx")``."""
    environment = {"FCN_EDGE_RUNS": str(tmp_path_factory.mktemp("runs"))}
    context = server()
    return lambda folder, *arguments: begun(context, arguments, folder, environment)


def to_end(process: ForkServerProcess) -> None:
    process.join()
    assert process.exitcode == 0


@pytest.fixture(scope="module")
def net(begin: Begin, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a network that was never trained."""
    folder = tmp_path_factory.mktemp("net")
    to_end(begin(folder, *f"{TRAIN} --data {STREET}2 --epochs 0 -o net.safetensors".split()))
    return folder / "net.safetensors"


def leftovers(*folders: Path) -> set[Path]:
    # os.walk passes over a directory that gets its name meanwhile
    walked = (step for folder in folders for step in os.walk(folder))
    found = (Path(place, name) for place, within, files in walked for name in (*within, *files))
    return {path for path in found if path.name.startswith(".fcn-edge-")}


def killed(process: ForkServerProcess, folder: Path, seconds: float, on_writing: bool, before: set[Path]) -> bool:
    """Kill a command; whether it lived to be killed.

    Args:
        process: The command.
        folder: Where it runs.
        seconds: When it is killed: from now on, or after something temporary is there.
        on_writing: Wait for something temporary.
        before: What is temporary there and was left by others.
    """
    while on_writing and process.is_alive() and leftovers(folder) <= before:
        time.sleep(0.0005)
    time.sleep(seconds)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_written_is_whole_or_absent(
    verb: str, begin: Begin, net: Path, tiny: TinyNetwork, tmp_path: Path
) -> None:
    folder, outputs = tmp_path / "work", VERBS[verb].outputs
    folder.mkdir()
    (folder / "mine.png").write_text("mine")
    command = VERBS[verb].arguments.format(net=net, tiny=tiny.path).split()
    began = time.monotonic()
    to_end(begin(folder, *command))
    whole = time.monotonic() - began
    assert not leftovers(folder)
    count = {"killed": 0, "left something": 0, "absent": 0}
    for number in range(KILLS):
        if number % 4 == 1:  # as if it had never been written
            for name in outputs:
                if (folder / name).exists():
                    (folder / name).rename(tmp_path / f"{number} {name}")
        on_writing = number % 2 == 0
        moment = random.uniform(0, 0.03) if on_writing else random.uniform(0, whole)
        before = leftovers(folder)
        count["killed"] += killed(begin(folder, *command), folder, moment, on_writing, before)
        count["left something"] += bool(leftovers(folder))
        for name, is_whole in outputs.items():
            if not (folder / name).exists():
                count["absent"] += 1
            elif is_whole is not None:
                is_whole(folder / name)
    print(f"{verb}: {KILLS} times, {whole:.1f} s each: {count}")  # noqa: T201 - for pytest -s
    assert count["killed"] >= KILLS // 2
    to_end(begin(folder, *command))
    assert not leftovers(folder)
    for name, is_whole in outputs.items():
        assert (folder / name).exists()
        if is_whole is not None:
            is_whole(folder / name)
    assert (folder / "mine.png").read_text() == "mine"
