"""Commands that are killed at random moments: what they write is whole or absent, and nothing else is left for long.

``FCN_EDGE_KILLS=20 make test-system`` kills each of the five verbs twenty times, a hundred in all; four without it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_network import TinyNetwork

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.engine_manifest import read_manifest, verify_engine
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.io.images import read_labels, write_png
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


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a network that was never trained."""
    folder = tmp_path_factory.mktemp("net")
    options = f"{TRAIN} --data {STREET}2 --epochs 0 -o net.safetensors"
    subprocess.run([sys.executable, "-m", "fcn_edge", *options.split()], cwd=folder, check=True)
    return folder / "net.safetensors"


def leftovers(*folders: Path) -> list[str]:
    return [str(path) for folder in folders for path in folder.rglob(".fcn-edge-*")]


def killed(command: list[str], folder: Path, seconds: float, on_writing: bool) -> bool:
    """Run a command and kill it; whether it lived to be killed.

    Args:
        command: The command.
        folder: Where it runs.
        seconds: When it is killed: after it began, or after something temporary is there.
        on_writing: Wait for something temporary.
    """
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        before = {*leftovers(folder)}
        while on_writing and process.poll() is None and {*leftovers(folder)} <= before:
            time.sleep(0.0005)
        time.sleep(seconds)
        alive = process.poll() is None
        process.kill()
    return alive


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_written_is_whole_or_absent(
    verb: str, net: Path, tiny: TinyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("FCN_EDGE_RUNS", str(runs))
    folder = tmp_path / "work"
    folder.mkdir()
    write_png(folder / "mine.png", np.zeros((4, 4), np.uint8))
    arguments = VERBS[verb].arguments.format(net=net, tiny=tiny.path).split()
    command = [sys.executable, "-m", "fcn_edge", *arguments]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = time.monotonic() - began
    assert not leftovers(folder, runs)
    count = {"killed": 0, "left something": 0, "absent": 0}
    for number in range(KILLS):
        on_writing = number % 2 == 0
        if number % 4 == 1:  # as if it had never been written
            for name in VERBS[verb].outputs:
                if (folder / name).exists():
                    (folder / name).rename(tmp_path / f"{number} {name}")
        moment = random.uniform(0, 0.03) if on_writing else random.uniform(0.2, 1.0) * whole
        count["killed"] += killed(command, folder, moment, on_writing)
        count["left something"] += bool(leftovers(folder, runs))
        for name, is_whole in VERBS[verb].outputs.items():
            if not (folder / name).exists():
                count["absent"] += 1
            elif is_whole is not None:
                is_whole(folder / name)
    print(f"{verb}: {KILLS} times, {whole:.1f} s each: {count}")  # noqa: T201 - for pytest -s
    assert count["killed"] >= KILLS // 2
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert not leftovers(folder, runs)
    for name, is_whole in VERBS[verb].outputs.items():
        assert (folder / name).exists()
        if is_whole is not None:
            is_whole(folder / name)
    assert (folder / "mine.png").exists()
