"""The paper's stages, or all decoders at once, from a recipe to checkpoints."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec, Provenance
from fcn_edge.datasets import LabeledSplit, splits_of
from fcn_edge.errors import CheckpointError, DatasetError, UsageError
from fcn_edge.io.files import replacing
from fcn_edge.nets.checkpoints import load_checkpoint, load_encoder, save_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.stage import EpochLog, StageTrainer, load_state, save_state

__all__ = ["Display", "TrainResult", "train"]


class Display(Protocol):
    """Who is told how the training goes."""

    def epoch(self, stage: str, epoch: int, epochs: int) -> AbstractContextManager[Callable[[int, int, float], None]]:
        """Begin an epoch; the callable takes steps done, steps in all and the mean loss."""

    def finished(self, log: EpochLog, best: float) -> None:
        """An epoch ended."""

    def note(self, message: str) -> None:
        """Something worth a line."""


class _Silent:
    """Tells nobody."""

    def epoch(self, *_: object) -> AbstractContextManager[Callable[[int, int, float], None]]:
        return nullcontext(lambda *_: None)

    def finished(self, *_: object) -> None:
        pass

    def note(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class TrainResult:
    """What a training run left.

    Attributes:
        checkpoints: Path of the checkpoint of each decoder.
        epochs: Epochs run in all stages, those before a resume included.
        best_miou: Validation mIoU of the last stage's finest decoder; None when no epoch ran.
    """

    checkpoints: dict[str, Path]
    epochs: int
    best_miou: float | None


def train(
    recipe: Recipe,
    data: str | Path,
    output: Path,
    *,
    init: Path | None = None,
    workers: int = 0,
    display: Display | None = None,
) -> TrainResult:
    """Train by a recipe.

    Beside ``output`` lie, of the same stem: ``.csv``, one line per epoch; ``.state``, what a killed run goes on
    from; and the checkpoints of the coarser stages.

    Args:
        recipe: What to do; ``TrainingOptions`` makes one.
        data: Root with the splits ``train`` and ``val``, or an address of rendered scenes.
        output: Checkpoint of the last stage's finest decoder, ``.safetensors``.
        init: ImageNet weights of the encoder, or a checkpoint of a coarser decoder; None trains from scratch.
        workers: Loader processes; 0 reads the images in this one.
        display: Who is told; nobody when left out.

    Raises:
        UsageError: The output cannot be written or is not a ``.safetensors`` file, rendered scenes are to be mixed
            with rendered ones or with other classes, or blocks are to be frozen that hold no weights.
        DatasetError: The data root lacks a split or holds bad files.
        CheckpointError: ``init`` does not fit, or the saved state is of another recipe.
    """
    _require_writable(output)
    if recipe.freeze and init is None:
        raise UsageError("A training from scratch has no blocks to freeze.", "Give weights to start from (init).")
    train_split, val_split = _splits(data, recipe)
    run = _Run(recipe, output, train_split, val_split, workers, display or _Silent())
    return run.go(init)


def _require_writable(output: Path) -> None:
    """Complain before hours of training, not after.

    Raises:
        UsageError: The output cannot be written.
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors.", "Name the checkpoint such as net.safetensors.")
    there = next(path for path in output.absolute().parents if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)) or output.is_dir():
        raise UsageError(f"{output} could not be written.", "Give a file in a directory that is yours.")


class _Run:
    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        train_split: LabeledSplit,
        val_split: LabeledSplit,
        workers: int,
        display: Display,
    ) -> None:
        self.recipe, self.output, self.display = recipe, output, display
        self.train_split, self.val_split, self.workers = train_split, val_split, workers
        self.log_path = output.with_suffix(".csv")
        self.state_path = output.with_suffix(".state")

    def go(self, init: Path | None) -> TrainResult:
        output = self.output
        output.parent.mkdir(parents=True, exist_ok=True)
        done, state = self._saved()
        checkpoints: dict[str, Path] = {}
        weights: dict[str, torch.Tensor] | None = state["start"] if state else None
        best: float | None = None
        ran: list[int] = list(state["ran"]) if state else []
        for number, stage in enumerate(self.recipe.stages):
            paths = self._paths(stage, last=number + 1 == len(self.recipe.stages))
            if number < done:
                checkpoints |= paths
                continue
            torch.manual_seed(self.recipe.seed)
            net = FCN(self.recipe.encoder, stage.decoders, len(self.train_split.info.classes))
            if weights is not None:
                net.start_from(weights)
            elif init is not None:
                self._initialize(net, init)
            start = {key: value.clone() for key, value in net.state_dict().items()}
            spec = self._spec(stage.decoders[0], ran)
            trainer = StageTrainer(
                net, stage, self.recipe, spec, self.train_split, self.val_split, workers=self.workers
            )
            if state and number == done:
                trainer.restore(state["trainer"])
            self._epochs(trainer, ran, start)
            ran.append(trainer.epoch)
            best_net = trainer.best_net()
            for name, path in paths.items():
                save_checkpoint(path, best_net.single(name), self._spec(name, ran))
            checkpoints |= paths
            weights = {
                key: value
                for key, value in trainer.best_weights.items()
                if not key.startswith("decoders.") or key.startswith(f"decoders.{stage.decoders[-1]}.")
            }
            best = trainer.best if stage.epochs else None
            state = None
        self.state_path.unlink(missing_ok=True)
        return TrainResult(checkpoints, sum(ran), best)

    def _epochs(self, trainer: StageTrainer, ran: list[int], start: dict[str, torch.Tensor]) -> None:
        stage = trainer.stage
        while not trainer.finished:
            with self.display.epoch(stage.name, trainer.epoch + 1, max(stage.epochs, trainer.epoch + 1)) as progress:
                log = trainer.run_epoch(progress)
            self.display.finished(log, trainer.best)
            self._write_log(log)
            save_state(
                self.state_path,
                {
                    "recipe": self.recipe.model_dump_json(),
                    "stage": len(ran),
                    "ran": ran,
                    "start": start,
                    "trainer": trainer.state(),
                },
            )

    def _saved(self) -> tuple[int, dict[str, Any] | None]:
        """The stage to go on with and its state; stage 0 and nothing when there is none."""
        if not self.state_path.is_file():
            self.log_path.unlink(missing_ok=True)
            return 0, None
        state = load_state(self.state_path)
        if state["recipe"] != self.recipe.model_dump_json():
            raise CheckpointError(
                f"{self.state_path} is the state of a training with another recipe.",
                f"Give the same options to go on with it, or remove {self.state_path} to start anew.",
            )
        number, epoch = int(state["stage"]), int(state["trainer"]["epoch"])
        self.display.note(f"going on after epoch {epoch} of stage {self.recipe.stages[number].name}")
        return number, state

    def _initialize(self, net: FCN, init: Path) -> None:
        try:
            coarser, spec = load_checkpoint(init)
        except CheckpointError:
            load_encoder(net.encoder, init)
            self.display.note(f"encoder weights from {init}")
            return
        new = net.start_from(coarser.state_dict())
        self.display.note(f"{spec.arch} weights from {init}; {len(new)} tensors are new")

    def _paths(self, stage: Stage, *, last: bool) -> dict[str, Path]:
        finest = min(stage.decoders, key=DECODER_STRIDES.__getitem__)
        return {
            name: self.output if last and name == finest else self.output.with_suffix(f".{name}.safetensors")
            for name in stage.decoders
        }

    def _spec(self, decoder: str, ran: list[int]) -> ModelSpec:
        recipe, info = self.recipe, self.train_split.info
        trained_on: tuple[str, ...] = (f"{info.name} {self.train_split.name}",)
        if recipe.rendered:
            trained_on += ("rendered street scenes",)
        lines = tuple(
            f"{stage.name}: {epochs} epochs, peak learning rate {stage.lr:g}"
            for stage, epochs in zip(recipe.stages, ran, strict=False)
        )
        settings = recipe.model_dump_json(exclude={"stages", "encoder"})
        return ModelSpec.model_validate(
            {
                "name": f"{info.name}-{recipe.encoder}-{decoder}",
                "encoder": recipe.encoder,
                "decoder": decoder,
                "stride": DECODER_STRIDES[decoder],
                "classes": info.classes,
                "palette": info.colors,
                "void": info.void,
                "size": recipe.size,
                "provenance": Provenance(
                    trained_on=trained_on if ran else (),
                    recipe=(*lines, settings) if ran else (),
                    tools={"torch": torch.__version__},
                ),
            }
        )

    def _write_log(self, log: EpochLog) -> None:
        """Add a line to the log, keeping what a resumed run already wrote and nothing that it repeats."""
        fields = ["stage", "epoch", "loss", "lr", "decoder", "val_miou", "seconds", "finished"]
        rows: list[dict[str, object]] = []
        if self.log_path.is_file():
            with self.log_path.open(newline="") as file:
                rows = [
                    dict(row)
                    for row in csv.DictReader(file)
                    if not (row["stage"] == log.stage and int(row["epoch"]) >= log.epoch)
                ]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S")
        for name in log.stage.split("+"):
            miou = log.miou.get(name)
            rows.append(
                {
                    "stage": log.stage,
                    "epoch": log.epoch,
                    "loss": f"{log.loss:.5f}",
                    "lr": f"{log.lr:.3g}",
                    "decoder": name,
                    "val_miou": "" if miou is None else f"{miou:.5f}",
                    "seconds": f"{log.seconds:.1f}",
                    "finished": stamp,
                }
            )
        with replacing(self.log_path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(rows)


def _splits(data: str | Path, recipe: Recipe) -> tuple[LabeledSplit, LabeledSplit]:
    splits = splits_of(data)
    missing = [name for name in ("train", "val") if name not in splits]
    if missing:
        raise DatasetError(
            f"{data} has no split named {missing[0]!r}; it has: {', '.join(splits)}.",
            "Training needs train/ and val/, each with images/ and labels/.",
        )
    if recipe.rendered and splits["train"].rendered:
        raise UsageError("The data is rendered already.", "Leave out the share of rendered scenes (rendered).")
    info = splits["train"].info
    if splits["val"].info.classes != info.classes:
        raise DatasetError(f"The splits of {data} have different classes.", "Use one dataset.toml for both.")
    if recipe.rendered and info.classes != LABEL_SETS["camvid"].classes:
        raise UsageError(
            "Rendered street scenes have CamVid's classes, and this data set has others.",
            "Leave out the share of rendered scenes (rendered).",
        )
    return splits["train"], splits["val"]
