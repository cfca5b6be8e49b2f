r"""What averaging the weights gives a short training on few images: a rising decay, a fixed one, none.

    python -m benchmarks.nets.small_sets --data camvid --init mobilenet_v2-imagenet.npz \
        [--frames 50 --frames 100 --frames 200] [--epochs 8 --epochs 30] [-o benchmarks/results/nets/small_sets.json]

Each training is MobileNetV2 with the three decoders at once and the defaults of ``fcn-edge train``, on frames of one
drive, spread over it evenly. One training gives all three scores, since averaging does not change what is trained. The
file is written after each, and a training that stands in it is not done again, unless it begins with other weights or
another version of fcn_edge, torch or numpy does it. A row keeps the machine that it was measured on.
"""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import click
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.machine import machine
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.cli.verb import SIZE
from fcn_edge.datasets import LabeledSplit, splits_of
from fcn_edge.datasets.halves import Part
from fcn_edge.io.files import replacing, sha256_of
from fcn_edge.nets.checkpoints import load_encoder
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.labels import label_counts
from fcn_edge.training.options import TrainingOptions
from fcn_edge.training.prior import correct_prior
from fcn_edge.training.stage import StageTrainer
from fcn_edge.training.trainset import Extras
from fcn_edge.training.validate import confusion_of

__all__ = ["FIXED_DECAY", "frames_of_drive", "scores_of_training"]

RESULTS = Path(__file__).resolve().parents[1] / "results" / "nets" / "small_sets.json"
FIXED_DECAY = 0.995
"""The decay from the first step on that the rising one is compared with."""


def frames_of_drive(split: LabeledSplit, drive: str, count: int) -> Part:
    """So many frames of a drive, spread over it evenly.

    Args:
        split: Images whose names begin with that of their drive.
        drive: The drive.
        count: How many frames.
    """
    frames = [number for number, sample in enumerate(split) if sample.name.startswith(drive)]
    if len(frames) < count:
        raise click.UsageError(f"{drive} has {len(frames)} frames, not {count}.")
    return Part(split, tuple(frames[index * len(frames) // count] for index in range(count)), f"{count} of {drive}")


def scores_of_training(
    options: TrainingOptions, train: LabeledSplit, val: LabeledSplit, init: Path | None
) -> dict[str, Any]:
    """Train, and validate the last weights as they are, averaged with a rising and averaged with a fixed decay.

    Args:
        options: A training in one stage, of an epoch at least.
        train: Images to train on.
        val: Images to score on.
        init: ImageNet weights of the encoder.

    Returns:
        ``val_miou`` by ``raw``, ``rising`` and ``fixed``, then by decoder; ``steps`` and ``seconds``.
    """
    recipe = options.recipe()
    (stage,) = recipe.stages
    torch.manual_seed(recipe.seed)
    net = FCN(recipe.encoder, stage.decoders, len(train.info.classes))
    if init is not None:
        load_encoder(net.encoder, init)
    info = train.info
    spec = ModelSpec(
        name="small", encoder=recipe.encoder, decoder="fcn32s", stride=32, size=recipe.size,
        classes=info.classes, palette=info.colors, void=info.void,
    )  # fmt: skip
    shares = label_counts(train).shares
    trainer = StageTrainer(net, stage, recipe, spec, train, val, shares, Extras(), workers=0)
    fixed = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(FIXED_DECAY), use_buffers=True)  # type: ignore[no-untyped-call]
    started, steps = time.monotonic(), 0

    def averaged() -> None:
        nonlocal steps
        steps += 1
        fixed.update_parameters(net)

    miou: dict[str, dict[str, float]] = {}
    while not trainer.finished:
        # the last epoch is validated, with the weights that the training averages
        miou["rising"] = trainer.run_epoch(lambda *_: None, averaged).miou
    for name, weights in (("raw", net), ("fixed", fixed.module)):
        judged = copy.deepcopy(weights).eval()
        correct_prior(judged, trainer.class_weights, recipe.prior_correction)
        matrices = confusion_of(judged, trainer.normalize, spec, val)
        miou[name] = {decoder: matrix.compute().mean_iou for decoder, matrix in matrices.items()}
    scores = {
        name: {decoder: round(value, 5) for decoder, value in miou[name].items()} for name in ("raw", "rising", "fixed")
    }
    return {"steps": steps, "val_miou": scores, "seconds": round(time.monotonic() - started, 1)}


@click.command(help=(__doc__ or "").splitlines()[0])
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--init", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--drive", default="0016E5", show_default=True, help="What the names of the drive's frames begin with.")
@click.option("--frames", type=int, multiple=True, default=(50, 100, 200), show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), multiple=True, default=(8, 30), show_default=True)
@click.option("--crop", type=SIZE, default="384x480", show_default=True)
@click.option("--size", type=SIZE, default="384x480", show_default=True)
@click.option("--threads", type=int, help="Threads that train; one per core when left out.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    data: Path,
    init: Path | None,
    drive: str,
    frames: tuple[int, ...],
    epochs: tuple[int, ...],
    crop: tuple[int, int],
    size: tuple[int, int],
    threads: int | None,
    output: Path,
) -> None:
    """Train on each number of frames for each number of epochs."""
    if threads:
        torch.set_num_threads(threads)
    about, splits = machine(threads), splits_of(data)
    measured_on = {
        "system": about["system"],
        "cpu": about["cpu"]["name"],
        "instruction_set": about["cpu"]["instruction_set"],
        "threads": about["threads"],
    }
    rows: list[dict[str, Any]] = json.loads(output.read_text())["rows"] if output.is_file() else []
    for count in frames:
        train = frames_of_drive(splits["train"], drive, count)
        for epoch_count in epochs:
            options = TrainingOptions(
                encoder="mobilenet_v2",
                decoder="fcn8s",
                mode="at-once",
                epochs=(epoch_count,),
                crop=crop,
                size=size,
                validate_every=epoch_count,
            )
            key = {
                "drive": drive,
                "frames": count,
                "epochs": epoch_count,
                "crop": list(crop),
                "size": list(size),
                "scales": list(options.scales),
                "init": sha256_of(init) if init else None,
                "seed": options.seed,
                "versions": {name: about["software"]["packages"][name] for name in ("fcn_edge", "torch", "numpy")},
            }
            if any(key.items() <= row.items() for row in rows):
                continue
            row = {**key, "machine": measured_on, **scores_of_training(options, train, splits["val"], init)}
            rows.append(row)
            print(json.dumps(row), flush=True)
            _write(output, rows, about)


def _write(output: Path, rows: list[dict[str, Any]], about: dict[str, Any]) -> None:
    result = {"machine": about, "fixed_decay": FIXED_DECAY, "rows": rows}
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
