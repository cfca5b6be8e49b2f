r"""How well a way to train carries over to a drive that the training never saw.

    python -m benchmarks.nets.folds "wide scales" --data camvid --fold 0006R0 --why "small objects" -- \
        --encoder mobilenet_v2 --init mobilenet_v2-imagenet.npz --epochs 15 --scales 0.5,2.0

CamVid's val is a later part of a drive that train shares, and flatters. A fold is train without one of its drives, on
which the last weights are judged; val has no part in it. What follows ``--`` are options of ``fcn-edge train``, which
trains the three decoders at once on one encoder unless they say ``--stages staged``; with ``--mean-of``, the names of
other variants of the same fold, nothing is trained, and the mean of their weights is judged. Each variant is a row of
``results/nets/variants.json``, those that lost as well; one that stands there with the same options is not trained
again.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from fcn_edge.datasets import LabeledSplit, splits_of
from fcn_edge.io.files import replacing, sha256_of
from fcn_edge.io.runs import runs_directory
from fcn_edge.nets.checkpoints import load_checkpoint
from fcn_edge.nets.normalize import Normalize
from fcn_edge.training.validate import confusion_of

__all__ = ["fold_of", "scores_of"]

RESULTS = Path(__file__).resolve().parents[1] / "results" / "nets" / "variants.json"
DECODERS = ("fcn32s", "fcn16s", "fcn8s")


def fold_of(data: Path, drive: str, folder: Path) -> Path:
    """A data set whose val is one drive of another's train, and whose train is the rest; of links to its files.

    Args:
        data: Root of the data set, with ``train/`` and ``dataset.toml``.
        drive: What the names of the drive's frames begin with.
        folder: Where the fold is made; one that is there is taken as it is.

    Raises:
        click.UsageError: No frame, or every frame, is of the drive.
    """
    if folder.is_dir():
        return folder
    images = sorted((data / "train" / "images").iterdir())
    ours = [image.name.startswith(drive) for image in images]
    if all(ours) or not any(ours):
        raise click.UsageError(f"{sum(ours)} of {len(ours)} frames of {data / 'train'} are of {drive}.")
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for kind in ("images", "labels"):
        for path in (data / "train" / kind).iterdir():
            files[kind, path.stem].append(path)
    partial = folder.with_suffix(f".{os.getpid()}")
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (partial / split / kind).mkdir(parents=True)
            for image, judges in zip(images, ours, strict=True):
                if judges == (split == "val"):
                    for path in files[kind, image.stem]:
                        (partial / split / kind / path.name).symlink_to(path.absolute())
    (partial / "dataset.toml").symlink_to((data / "dataset.toml").absolute())
    return partial.rename(folder)


def scores_of(checkpoints: dict[str, Path], split: LabeledSplit) -> dict[str, Any]:
    """The mIoU of each decoder, and the IU of each class of the finest, in percent.

    Args:
        checkpoints: Path of each decoder's checkpoint.
        split: Images with labels, judged on full frames.
    """
    found: dict[str, Any] = {"miou": {}, "per_class": {}}
    for name, path in checkpoints.items():
        net, spec = load_checkpoint(path)
        scores = confusion_of(net, Normalize(spec.normalization), spec, split)[name].compute()
        found["miou"][name] = round(100 * scores.mean_iou, 2)
        found["per_class"] = {
            label: None if value is None else round(100 * value, 1)
            for label, value in zip(spec.classes, scores.per_class, strict=True)
        }
    return found


@click.command(help=(__doc__ or "").splitlines()[0], context_settings={"ignore_unknown_options": True})
@click.argument("variant")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--fold", "drive", default="0006R0", show_default=True, help="The drive that judges.")
@click.option("--mean-of", multiple=True, metavar="VARIANT", help="A variant that was trained on this fold.")
@click.option("--why", default="", help="What the variant is tried for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(
    variant: str, options: tuple[str, ...], data: Path, drive: str, mean_of: tuple[str, ...], why: str, output: Path
) -> None:
    """Train one variant on one fold, and add its row."""
    if settles := next((word for word in options if word.startswith("--settle")), ""):
        raise click.UsageError(f"{settles} would let the drive that judges choose the epoch.")
    shown = shlex.join(Path(word).name if "/" in word else word for word in options)
    shown += f" (mean of {', '.join(mean_of)})" if mean_of else ""
    folds = runs_directory() / "folds"
    key: dict[str, Any] = {"variant": variant, "fold": drive, "options": shown}
    took = {row["variant"]: row["seconds"] for row in _rows(output) if row["fold"] == drive}
    if mean_of:
        if unknown := [name for name in mean_of if name not in took]:
            raise click.UsageError(f"{unknown[0]} was not trained on {drive}.")
        key["mean_of"] = {name: sha256_of(_checkpoints(folds, drive, name)[DECODERS[-1]]) for name in mean_of}
    if any(key.items() <= row.items() for row in _rows(output)):
        click.echo(f"{variant} on {drive} stands there already")
        return
    folds.mkdir(parents=True, exist_ok=True)
    where = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:8]
    fold = fold_of(data, drive, folds / f"{drive}-of-{where}")
    checkpoints = _checkpoints(folds, drive, variant)
    if mean_of:
        for name, path in checkpoints.items():
            first = [word for each in mean_of for word in ("--init", str(_checkpoints(folds, drive, each)[name]))]
            _train(fold, path, name, [*options, "--epochs", "0", *first])
        seconds = float(sum(took[name] for name in mean_of))
    else:
        finest = checkpoints[DECODERS[-1]]
        # validated once, at the end of each stage: no epoch is chosen by the drive that judges
        _train(fold, finest, DECODERS[-1], ["--stages", "at-once", *options, "--validate-every", "999"])
        seconds = _seconds(finest.with_suffix(".csv"))
    about = machine(None)
    row = {
        **key,
        "why": why,
        **scores_of(checkpoints, splits_of(fold)["val"]),
        "seconds": round(seconds),
        "sha256": sha256_of(checkpoints[DECODERS[-1]]),
        "instruction_set": about["cpu"]["instruction_set"],
        "torch": about["software"]["packages"]["torch"],
    }
    click.echo(json.dumps(row))
    output.parent.mkdir(parents=True, exist_ok=True)
    _add(row, output)


def _checkpoints(folds: Path, drive: str, variant: str) -> dict[str, Path]:
    """Where the checkpoint of each decoder of a variant lies."""
    finest = folds / f"{drive}-{''.join(letter if letter.isalnum() else '-' for letter in variant)}.safetensors"
    return {name: finest.with_suffix(f".{name}.safetensors") for name in DECODERS[:-1]} | {DECODERS[-1]: finest}


def _seconds(log: Path) -> float:
    """What all epochs took; one in which several decoders were trained has a line for each."""
    with log.open(encoding="utf-8", newline="") as file:
        return sum({(line["stage"], line["epoch"]): float(line["seconds"]) for line in csv.DictReader(file)}.values())


def _train(fold: Path, output: Path, decoder: str, options: list[str]) -> None:
    words = ["train", *options, "--decoder", decoder, "--data", str(fold), "-o", str(output)]
    if subprocess.run([sys.executable, "-m", "fcn_edge", *words], check=False).returncode:
        raise click.ClickException("The training failed.")


def _add(row: dict[str, Any], output: Path) -> None:
    """Add a row to those that stand there; variants that are trained side by side may end together."""
    folder = os.open(output.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        rows = [*_rows(output), row]
        with replacing(output) as temporary:
            temporary.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    finally:
        os.close(folder)


def _rows(output: Path) -> list[dict[str, Any]]:
    return list(json.loads(output.read_text())["rows"]) if output.is_file() else []


if __name__ == "__main__":
    main()
