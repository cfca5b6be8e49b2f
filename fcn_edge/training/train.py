"""The paper's stages, or all decoders at once, from a recipe to checkpoints."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.models import ZOO
from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec, Provenance
from fcn_edge.datasets import LabeledSplit, splits_of
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.datasets.plain_images import image_files
from fcn_edge.errors import CheckpointError, DatasetError, UsageError
from fcn_edge.io.files import copy_file
from fcn_edge.io.folders import make_folder
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.labels import (
    LabelCounts,
    label_counts,
    notes_on_labels,
    require_scorable,
    require_teachable,
)
from fcn_edge.training.log import TrainingLog
from fcn_edge.training.outputs import check_training_outputs, log_path, paths_of
from fcn_edge.training.recipe import Recipe
from fcn_edge.training.runs import Run
from fcn_edge.training.stage import EpochLog, StageTrainer
from fcn_edge.training.start import Start
from fcn_edge.training.teacher_nets import teacher_file
from fcn_edge.training.trainset import Extras

__all__ = ["Display", "TrainResult", "train"]


SAVE_SECONDS = 300.0
"""How much work a kill may cost, in seconds."""


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
        best_miou: Validation mIoU of the last stage's finest decoder, over the classes that the labels of ``val`` show;
            None when no epoch ran.
        classes_present: How many classes those are.
        classes: How many classes there are.
    """

    checkpoints: dict[str, Path]
    epochs: int
    best_miou: float | None
    classes_present: int
    classes: int


def train(
    recipe: Recipe,
    data: str | Path,
    output: Path,
    *,
    init: Path | Sequence[Path] | None = None,
    teachers: Sequence[str | Path] = (),
    unlabeled: Path | None = None,
    workers: int = 0,
    save_every: float = SAVE_SECONDS,
    display: Display | None = None,
) -> TrainResult:
    """Train by a recipe.

    Beside ``output`` lie, of the same stem, ``.csv``, one line per epoch, and the checkpoints of the coarser stages.
    The state of a running training lies in ``io.runs.runs_directory()``, in a folder named after the recipe, the
    data and ``init``: the same call goes on from it, with another output too.

    Args:
        recipe: What to do; ``TrainingOptions`` makes one.
        data: Root with the splits ``train`` and ``val``, or an address of rendered scenes.
        output: Checkpoint of the last stage's finest decoder, ``.safetensors``.
        init: ImageNet weights of the encoder, or a checkpoint to go on from, such as one of a coarser decoder; several
            checkpoints, trained from the same weights, start from their mean (``training/start.py``); None trains from
            scratch.
        teachers: Trained networks with the same classes: shipped names, ONNX files of ``export``, checkpoints. The
            network learns from what they say too.
        unlabeled: Folder of images of which only the teachers say what they show.
        workers: Loader processes; 0 reads the images in this one.
        save_every: Seconds after which the state is saved within an epoch, at most; it is saved after each anyway.
        display: Who is told; nobody when left out.

    Raises:
        UsageError: The output is not a ``.safetensors`` file, cannot be written, is an input too or would replace a
            foreign ``.csv`` file; rendered scenes are to be mixed with rendered ones or with other classes, blocks are
            to be frozen that hold no weights; a teacher is missing, has other classes or does not take crops of that
            size; unlabeled images or settings of teachers have none; or another process does this training.
        DatasetError: The data root lacks a split or holds bad files, or its labels teach nothing: those of ``train``
            show one class or none, or those of ``val`` are void.
        CheckpointError: ``init`` is missing or does not fit, or is several files that have no mean; a teacher is
            damaged; or the saved state is damaged or of another recipe.
        ModelError: A teacher that is an ONNX file is damaged.
    """
    taught_by = tuple(teacher_file(name) for name in teachers)
    start = Start.of(init)
    check_training_outputs(recipe, output, start.files, taught_by)
    if recipe.freeze and not start.files:
        raise UsageError("A training from scratch has no blocks to freeze.", "Give weights to start from (init).")
    train_split, val_split = _splits(data, recipe)
    if not taught_by:
        _require_no_teacher(recipe, unlabeled)
    extras = Extras(taught_by, tuple(image_files(unlabeled, sys.maxsize)) if unlabeled is not None else ())
    run = Run(recipe, train_split, val_split, start.files, extras)
    with run.held():
        training = _Training(
            recipe, output, start, run, train_split, val_split, extras, workers, save_every, display or _Silent()
        )
        return training.go()


def _require_no_teacher(recipe: Recipe, unlabeled: Path | None) -> None:
    """Complain of what does nothing without teachers, and yet would make another run.

    Raises:
        UsageError: There are unlabeled images, or settings of teachers that are not the defaults.
    """
    if unlabeled is not None:
        raise UsageError("Unlabeled images teach nothing by themselves.", "Give a trained network too (teachers).")
    for name in ("teacher_weight", "temperature"):
        if getattr(recipe, name) != Recipe.model_fields[name].default:
            raise UsageError(
                f"{name} does nothing without a teacher.",
                f"Give a trained network too (teachers), or leave out {name}.",
            )


class _Training:
    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        start: Start,
        run: Run,
        train_split: LabeledSplit,
        val_split: LabeledSplit,
        extras: Extras,
        workers: int,
        save_every: float,
        display: Display,
    ) -> None:
        self.recipe, self.output, self.start, self.run, self.display = recipe, output, start, run, display
        self.train_split, self.val_split, self.workers = train_split, val_split, workers
        # now, while the files are surely there
        self.before = start.provenance()
        self.extras, self.save_every = extras, save_every
        self.ran: list[int] = []
        self.log: TrainingLog

    def go(self) -> TrainResult:
        output = self.output
        self._tell_of_old_state()
        state = self.run.saved()
        shown, judged = self._labels()
        make_folder(output.parent)
        self.log = TrainingLog(log_path(output), state["log"] if state else [])
        checkpoints: dict[str, Path] = {}
        weights: dict[str, torch.Tensor] | None = None
        best: float | None = None
        self.ran = list(state["ran"]) if state else []
        done = len(self.ran)
        for number, stage in enumerate(self.recipe.stages):
            paths = paths_of(stage, output, last=number + 1 == len(self.recipe.stages))
            checkpoints |= paths
            if number < done:
                # of this training, begun with another output
                for name, path in paths.items():
                    copy_file(self._kept(name), path, durable=True)
                continue
            torch.manual_seed(self.recipe.seed)
            net = FCN(self.recipe.encoder, stage.decoders, len(self.train_split.info.classes))
            if weights is not None:
                net.start_from(weights)
            elif not state:
                self.start.fill(net, self.display.note)
            spec = self._spec(stage.decoders[0], self.ran)
            trainer = StageTrainer(
                net,
                stage,
                self.recipe,
                spec,
                self.train_split,
                self.val_split,
                shown.shares,
                self.extras,
                workers=self.workers,
            )
            if state:
                if self.run.damaged:
                    self.display.note("the newest state of this training is damaged; the one before it is taken")
                self._restore(trainer, state["trainer"])
                self.display.note(_position(trainer, self.run))
            self._epochs(trainer)
            self.ran.append(trainer.epoch)
            best_net = trainer.best_net()
            for name, path in paths.items():
                # on the disk, because later states count on it
                save_checkpoint(self._kept(name), best_net.single(name), self._spec(name, self.ran))
                copy_file(self._kept(name), path, durable=True)
            weights = {
                key: value
                for key, value in trainer.best_weights.items()
                if not key.startswith("decoders.") or key.startswith(f"decoders.{stage.decoders[-1]}.")
            }
            best = trainer.best if stage.epochs else None
            state = None
        self.log.write()
        self.run.finish()
        return TrainResult(checkpoints, sum(self.ran), best, judged.present, len(judged.info.classes))

    def _restore(self, trainer: StageTrainer, state: dict[str, Any]) -> None:
        try:
            trainer.restore(state)
        except CheckpointError as error:
            raise CheckpointError(error.message, f"Remove {self.run.folder} to start the training anew.") from error

    def _labels(self) -> tuple[LabelCounts, LabelCounts]:
        """What the labels of train and val show; told of, and refused, before the first epoch."""
        train, val = label_counts(self.train_split), label_counts(self.val_split)
        if not any(stage.epochs for stage in self.recipe.stages):
            return train, val
        if not (self.recipe.rendered or self.extras.teachers):  # these show other classes too
            require_teachable(train)
        require_scorable(val)
        if not self.train_split.rendered:  # labels that are drawn are right, however few frames show a class
            alone = not (self.recipe.rendered or self.extras.teachers)
            for note in notes_on_labels(train, val, alone=alone, balanced=self.recipe.balance > 0):
                self.display.note(note)
            if fingerprint_of(self.train_split) == fingerprint_of(self.val_split):
                self.display.note("Warning: train and val hold the same files, so val mIoU will flatter")
        return train, val

    def _epochs(self, trainer: StageTrainer) -> None:
        stage = trainer.stage
        saved = time.monotonic()

        def save() -> None:
            nonlocal saved
            self.run.save({"ran": self.ran, "log": self.log.rows, "trainer": trainer.state()})
            saved = time.monotonic()

        def between() -> None:
            if time.monotonic() - saved >= self.save_every:
                save()

        while not trainer.finished:
            with self.display.epoch(stage.name, trainer.epoch + 1, max(stage.epochs, trainer.epoch + 1)) as progress:
                log = trainer.run_epoch(progress, between)
            self.display.finished(log, trainer.best)
            self.log.add(log)
            save()
            # after the state: what keeps the file from being written costs no epoch
            self.log.write()

    def _tell_of_old_state(self) -> None:
        old = self.output.with_suffix(".state")
        if old.is_file():
            self.display.note(f"{old}, the state of an earlier version, is not used any more and may be deleted")

    def _kept(self, decoder: str) -> Path:
        """Where the checkpoint of a finished stage is kept while the training runs."""
        return self.run.folder / f"{decoder}.safetensors"

    def _spec(self, decoder: str, ran: list[int]) -> ModelSpec:
        recipe, info, before = self.recipe, self.train_split.info, self.before
        trained_on: tuple[str, ...] = (f"{info.name} {self.train_split.name}",)
        if recipe.rendered:
            trained_on += ("rendered street scenes",)
        if self.extras.unlabeled:
            trained_on += ("unlabeled images",)
        lines = tuple(
            f"{stage.name}: {epochs} epochs, peak learning rate {stage.lr:g}"
            for stage, epochs in zip(recipe.stages, ran, strict=False)
        )
        lines += tuple(f"taught by {_teacher_name(path)}" for path in self.extras.teachers)
        lines += (recipe.model_dump_json(exclude={"stages", "encoder"}),)
        if not any(ran):  # it saw no image
            trained_on, lines = (), ()
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
                    trained_on=tuple(dict.fromkeys((*before.trained_on, *trained_on))),
                    recipe=(*before.recipe, *lines),
                    tools={"torch": torch.__version__},
                ),
            }
        )


def _teacher_name(path: Path) -> str:
    """What a teacher is called: a shipped model by its folder, since all their files have one name."""
    return path.parent.name if path.parent.parent == ZOO else path.stem


def _position(trainer: StageTrainer, run: Run) -> str:
    """Where a training goes on, and how to start it anew."""
    where = f"after epoch {trainer.epoch}"
    if trainer.step:
        where = f"after step {trainer.step} of {trainer.steps} of epoch {trainer.epoch + 1}"
    return f"going on {where} of stage {trainer.stage.name}; remove {run.folder} to start anew"


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
