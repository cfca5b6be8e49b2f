"""Checkpoints of ours and of others, and the state of a training."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...artifacts.weights.files import save
from ..damages import BYTES
from ..parser import Parser
from ..structures import tree_damaged
from .commands import shown_by
from .models import SAMPLES
from .weights import header_damaged, member_damaged

if TYPE_CHECKING:
    from fcn_edge.training.runs import Run

__all__ = ["PARSERS"]


def header(path: Path, _: Path) -> object:
    return shown_by("inspect", path)


def loaded(path: Path, _: Path) -> object:
    """As ``export`` and ``train`` load it; the sample holds a spec and few tensors, so that none fits."""
    from fcn_edge.nets.checkpoints import load_checkpoint

    return load_checkpoint(path)


def of_mmsegmentation(folder: Path) -> list[bytes]:
    """A small ResNet with an FCN head, as its authors save it."""
    from ...export.importers.mmseg_networks import resnet_fcn
    from .foreign import CONFIG

    net = resnet_fcn([np.full((64, 64, 3), 90, np.uint8)], width=4, hidden=8, blocks=(1, 1, 1, 1), classes=3)
    state = {key: value.numpy() for key, value in net.state.items()}
    meta = {"cfg": CONFIG.decode(), "dataset_meta": {"classes": ["a", "b", "c"], "palette": [[1, 2, 3]] * 3}}
    save(folder / "net.pth", {"meta": meta, "state_dict": state})
    return [(folder / "net.pth").read_bytes()]


def imported(path: Path, _: Path) -> object:
    from fcn_edge.export.importers.base import ImportOptions
    from fcn_edge.export.importers.registry import trained_network

    return trained_network(path, ImportOptions())


@cache
def _run(folder: Path) -> Run:
    """A training of a small data set, whose state lies in a folder of ours."""
    from fcn_edge.datasets import splits_of
    from fcn_edge.io.images import write_png
    from fcn_edge.training.recipe import Recipe, Stage
    from fcn_edge.training.runs import Run
    from fcn_edge.training.trainset import Extras

    for split in ("train", "val"):
        for kind, shape in (("images", (8, 8, 3)), ("labels", (8, 8))):
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
            write_png(folder / split / kind / "1.png", np.zeros(shape, np.uint8))
    (folder / "dataset.toml").write_text('name = "fuzzed"\nclasses = ["a", "b"]\nvoid = 255\n')
    os.environ["FCN_EDGE_RUNS"] = str(folder / "runs")
    recipe = Recipe(encoder="vgg16", stages=(Stage(decoders=("fcn32s",), epochs=2, lr=1e-3),))
    splits: dict[str, Any] = dict(splits_of(folder))
    return Run(recipe, splits["train"], splits["val"], (), Extras())


def states(folder: Path) -> list[bytes]:
    import torch

    run = _run(folder)
    run.folder.mkdir(parents=True, exist_ok=True)
    run.save({"ran": [], "log": [], "trainer": {"epoch": 1, "best": 0.5, "weights": torch.arange(3)}})
    return [next(run.folder.iterdir()).read_bytes()]


def state(path: Path, beside: Path) -> object:
    from fcn_edge.training.runs import STATE_FILE

    run = _run(beside)
    (run.folder / STATE_FILE).write_bytes(path.read_bytes())
    return run.saved()


def state_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A state damaged in its structure: the keys and values that were saved."""
    import torch

    tree = torch.load(io.BytesIO(whole), weights_only=True)
    file = io.BytesIO()
    torch.save(tree_damaged(tree, chance), file)
    return file.getvalue()


def sample(_: Path) -> list[bytes]:
    return [(SAMPLES / "checkpoint.safetensors").read_bytes()]


CHECKPOINT = (*BYTES, *(header_damaged,) * 6)
ZIP = (*BYTES, *(member_damaged,) * 6)
STATE = (*BYTES, *(member_damaged, state_damaged) * 3)
TORCH = ("torch",)
PARSERS = (
    Parser("checkpoint.inspect", "c.safetensors", sample, header, CHECKPOINT),
    Parser("checkpoint.load", "c.safetensors", sample, loaded, CHECKPOINT, 0.7, TORCH, refuses=True),
    Parser("checkpoint.mmseg", "net.pth", of_mmsegmentation, imported, ZIP, 0.5, TORCH),
    Parser("training.state", "state.pt", states, state, STATE, 0.7, TORCH),
)
