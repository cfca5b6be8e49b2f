r"""The networks of one training as another ``--prior-correction`` would have kept them.

    python -m benchmarks.nets.prior runs/net.safetensors --data camvid --strength 0.4 -o runs/other.safetensors

How far the class weights are taken back moves the scores' biases alone (``training/prior.py``), so what it costs and
gains need not be trained again. The recipe of what is written says the new strength; the log is copied as it is, with
the scores of the old one, by which the epoch was kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import torch

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.datasets import splits_of
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
    shares = torch.from_numpy(np.asarray(label_counts(splits_of(data)["train"]).shares))
    for path in (*sorted(checkpoint.parent.glob(f"{checkpoint.stem}.*.safetensors")), checkpoint):
        net, spec = load_checkpoint(path)
        settings = json.loads(spec.provenance.recipe[-1])
        weights = 1 / torch.log(settings["class_weight_offset"] + shares)
        correct_prior(net, (weights / weights.mean()).float(), strength - settings[KEY])
        save_checkpoint(
            output.with_name(output.stem + path.name.removeprefix(checkpoint.stem)), net, _with(spec, strength)
        )
    copy_file(checkpoint.with_suffix(".csv"), output.with_suffix(".csv"))


def _with(spec: ModelSpec, strength: float) -> ModelSpec:
    *before, line = spec.provenance.recipe
    settings = json.dumps(json.loads(line) | {KEY: strength}, separators=(",", ":"))
    return spec.replace(provenance=spec.provenance.model_copy(update={"recipe": (*before, settings)}))


if __name__ == "__main__":
    main()
