r"""The networks of one training with another ``--prior-correction``.

    python -m benchmarks.nets.prior runs/net.safetensors --data camvid --strength 0.4 -o runs/other.safetensors

A training weighs rare classes more, and the network then sees them too often. ``--prior-correction``, 0 to 1, says how
much of that is taken out of its scores afterwards (``training/prior.py``). This changes one bias, so that another
strength can be tried without training again. It is what a training with that strength would keep, of the same epoch;
the log is copied as it is, with the scores of the old strength, by which that epoch was kept. Where teachers taught,
the strength is part of the training, and is refused here.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import torch

from benchmarks.nets.checkpoints import checkpoints_of, log_of
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.datasets import LabeledSplit, splits_of
from fcn_edge.io.files import copy_file
from fcn_edge.nets.checkpoints import load_checkpoint, save_checkpoint
from fcn_edge.training.labels import label_counts
from fcn_edge.training.prior import correct_prior

KEY = "prior_correction"


@click.command(help=(__doc__ or "").splitlines()[0])
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--strength", type=click.FloatRange(0, 1), required=True, help="What --prior-correction is to be.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def main(checkpoint: Path, data: Path, strength: float, output: Path) -> None:
    """Write the checkpoint and those of its coarser decoders with another strength."""
    splits, log = splits_of(data), log_of(checkpoint)
    found = {path: load_checkpoint(path) for path in checkpoints_of(checkpoint).values()}
    for path, (_, spec) in found.items():
        _check(path, spec, splits["train"])
    shares = torch.from_numpy(np.asarray(label_counts(splits["train"]).shares))
    for path, (net, spec) in found.items():
        settings = json.loads(spec.provenance.recipe[-1])
        weights = 1 / torch.log(settings["class_weight_offset"] + shares)
        correct_prior(net, (weights / weights.mean()).float(), strength - settings[KEY])
        beside = output.with_name(output.stem + path.name.removeprefix(checkpoint.stem))
        save_checkpoint(beside, net, _with(spec, strength))
    copy_file(log, output.with_suffix(".csv"))


def _check(path: Path, spec: ModelSpec, train: LabeledSplit) -> None:
    """Refuse a network whose weights were not of these images' classes alone.

    Raises:
        click.UsageError: It was trained otherwise.
    """
    recipe, trained_on = spec.provenance.recipe, f"{train.info.name} {train.name}"
    if not recipe or KEY not in recipe[-1]:
        raise click.UsageError(f"{path} does not say how it was trained.")
    if any(line.startswith("taught by ") for line in recipe):
        raise click.UsageError(f"{path} was taught by another network: it has to be trained again.")
    if trained_on not in spec.provenance.trained_on or spec.classes != train.info.classes:
        raise click.UsageError(f"{path} was trained on {', '.join(spec.provenance.trained_on)}, not on {trained_on}.")


def _with(spec: ModelSpec, strength: float) -> ModelSpec:
    *before, line = spec.provenance.recipe
    settings = json.dumps(json.loads(line) | {KEY: strength}, separators=(",", ":"))
    return spec.replace(provenance=spec.provenance.model_copy(update={"recipe": (*before, settings)}))


if __name__ == "__main__":
    main()
