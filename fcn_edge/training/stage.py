"""One stage of training: the epochs, the optimizer, the averaged weights, and what is saved to go on after a kill."""

from __future__ import annotations

import copy
import ctypes
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, PolynomialLR
from torch.utils.data import DataLoader

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.datasets import LabeledSplit
from fcn_edge.errors import CheckpointError, FcnEdgeError, UsageError
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize
from fcn_edge.training.augment import Augmentation
from fcn_edge.training.averaging import Average
from fcn_edge.training.frozen import Frozen
from fcn_edge.training.loss import SegmentationLoss
from fcn_edge.training.mixed_precision import MixedPrecision
from fcn_edge.training.prior import correct_prior
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.teacher_nets import teacher_of
from fcn_edge.training.teachers import Teachers
from fcn_edge.training.trainset import Extras, TrainSet, WithErrors, warm_streets
from fcn_edge.training.validate import confusion_of

__all__ = ["EpochLog", "StageTrainer"]

Progress = Callable[[int, int, float], None]

LEAST_RISE = 0.0005
"""Share of 1 by which val must exceed its best to count as risen: less is noise of a hundred images."""

LAST_LR = 0.02
"""Learning rate that a one-cycle stage ends with and settles at, over its peak: averaging the weights does the rest."""


@dataclass(frozen=True)
class EpochLog:
    """What one epoch gave.

    Attributes:
        stage: Decoders of the stage.
        epoch: From 1.
        loss: Mean training loss.
        lr: Learning rate of the encoder at the end.
        miou: Validation mIoU of the averaged weights for each decoder, over the classes that the validation labels
            show; empty when the epoch was not validated.
        seconds: Wall time of training and validation.
        classes_present: How many classes the validation labels show; 0 when the epoch was not validated.
        classes: How many classes there are.
    """

    stage: str
    epoch: int
    loss: float
    lr: float
    miou: dict[str, float]
    seconds: float
    classes_present: int
    classes: int


class StageTrainer:
    """Trains one network through one stage.

    What is added to the cross-entropy, the Dice loss and that of the teachers, is brought to its level: multiplied by
    the mean class weight of the labeled training pixels, as the cross-entropy is by the weights themselves.

    Args:
        net: The network, already initialized; trained in place.
        stage: The decoders and epochs.
        recipe: Everything else.
        spec: Classes, void, size and preprocessing.
        train: Training images with labels.
        val: Validation images with labels.
        shares: Share of each class among the labeled training pixels, ``(classes,)`` float64.
        extras: What it learns from besides the labeled images.
        workers: Loader processes; 0 loads in this one.
    """

    def __init__(
        self,
        net: FCN,
        stage: Stage,
        recipe: Recipe,
        spec: ModelSpec,
        train: LabeledSplit,
        val: LabeledSplit,
        shares: NDArray[np.float64],
        extras: Extras,
        *,
        workers: int,
    ) -> None:
        keep_freed_memory()
        self.stage, self.recipe, self.spec = stage, recipe, spec
        self.train, self.val, self.workers = train, val, workers
        self.normalize = Normalize(spec.normalization)
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.frozen = Frozen(net, recipe.freeze)
        self.precision = MixedPrecision(net, enabled=recipe.bfloat16)
        self.average = Average(net, recipe.ema_decay)
        self.rendered = round(recipe.rendered * len(train))
        if self.rendered and workers:
            # loader processes live for one epoch; what they inherit they need not build again
            warm_streets()
        self.unlabeled = extras.unlabeled
        pairs = len(train) + self.rendered + len(self.unlabeled)
        self.steps = max(1, pairs // recipe.batch)
        self.optimizer = torch.optim.AdamW(_groups(net, recipe, stage))
        self.schedule = _schedule(self.optimizer, recipe, stage, self.steps)
        of_pixels = torch.from_numpy(shares)
        weights = 1 / torch.log(recipe.class_weight_offset + of_pixels)
        self.class_weights = (weights / weights.mean()).float()
        # their mean over classes is 1; over pixels it is less, since most pixels are of the classes that weigh least
        self.level = float((self.class_weights * of_pixels).sum()) or 1.0
        self.loss = SegmentationLoss(
            self.class_weights, spec.void, dice=recipe.dice * self.level, hardest=recipe.hardest
        )
        self.teachers: Teachers | None = None
        if extras.teachers:
            shift = recipe.prior_correction * torch.log(self.class_weights)
            teachers = [
                teacher_of(path, train.info.classes, recipe.crop, bfloat16=recipe.bfloat16) for path in extras.teachers
            ]
            self.teachers = Teachers(teachers, recipe.temperature, shift)
        self.epoch = 0
        self.step = 0
        self._loss, self._seconds = 0.0, 0.0
        self.best = -1.0
        self.stale = 0
        self.best_weights: dict[str, Tensor] = {key: value.clone() for key, value in net.state_dict().items()}

    @property
    def finished(self) -> bool:
        """Whether the schedule is done and, in a stage that settles, val has stopped rising."""
        if self.epoch < self.stage.epochs:
            return False
        beyond = self.epoch - self.stage.epochs
        return not self.stage.epochs or beyond >= self.recipe.settle or self.stale >= self.recipe.patience

    def run_epoch(self, progress: Progress, between: Callable[[], None] = lambda: None) -> EpochLog:
        """Train an epoch to its end; when it is due, validate the averaged weights and keep them if they are the best.

        Args:
            progress: Called after each step with steps done, steps in all and the running mean loss.
            between: Called between steps, when ``state()`` is that of a finished step.
        """
        self._train_epoch(progress, between)
        started = time.monotonic()
        loss = self._loss / self.steps
        self.epoch, self.step, self._loss = self.epoch + 1, 0, 0.0
        due = self.epoch % self.recipe.validate_every == 0 or self.epoch >= self.stage.epochs
        scores, present = self._validate() if due else ({}, 0)
        lr = float(self.optimizer.param_groups[0]["lr"])
        seconds, self._seconds = self._seconds + time.monotonic() - started, 0.0
        return EpochLog(self.stage.name, self.epoch, loss, lr, scores, seconds, present, len(self.spec.classes))

    def _validate(self) -> tuple[dict[str, float], int]:
        averaged = copy.deepcopy(self.average.net)
        correct_prior(averaged, self.class_weights, self.recipe.prior_correction)
        matrices = confusion_of(averaged, self.normalize, self.spec, self.val)
        measures = {name: matrix.compute() for name, matrix in matrices.items()}
        scores = {name: each.mean_iou for name, each in measures.items()}
        present = next(iter(measures.values())).classes_present
        finest = scores[min(scores, key=averaged.stride)]
        settling = self.epoch > self.stage.epochs
        self.stale = self.stale + 1 if settling and finest <= self.best + LEAST_RISE else 0
        if finest > self.best:
            self.best = finest
            # kept as they were trained: the next stage goes on from these
            self.best_weights = {key: value.clone() for key, value in self.average.net.state_dict().items()}
        return scores, present

    def best_net(self) -> FCN:
        """The best network so far, as it is to be used: with the class weights taken back from its scores."""
        net = copy.deepcopy(self.average.net)
        net.load_state_dict(self.best_weights)
        if self.best >= 0:
            correct_prior(net, self.class_weights, self.recipe.prior_correction)
        return net

    def _train_epoch(self, progress: Progress, between: Callable[[], None]) -> None:
        self.net.train()
        self.frozen.hold(self.net)
        if self.stage.freeze_batchnorm:
            for module in self.net.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        started = time.monotonic()
        for micro_batches in self._batches():
            pixels = sum(int((labels != self.spec.void).sum()) for _, labels, _ in micro_batches)
            area = sum(int(inside.sum()) for _, _, inside in micro_batches)
            total = 0.0
            for images, labels, inside in micro_batches:
                loss = self._share_of_loss(images, labels, inside, max(1, pixels), max(1, area))
                loss.backward()  # type: ignore[no-untyped-call]
                total += float(loss.detach())
            if not math.isfinite(total):
                raise self._not_finite("loss")
            # a finite loss can have other gradients, and one such step spoils every weight
            if not math.isfinite(nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)):
                raise self._not_finite("gradient")
            self.optimizer.step()
            self.optimizer.zero_grad()
            if self.epoch < self.stage.epochs:
                self.schedule.step()
            self.average.update(self.net)
            self.step, self._loss = self.step + 1, self._loss + total
            now = time.monotonic()
            started, self._seconds = now, self._seconds + now - started
            progress(self.step, self.steps, self._loss / self.step)
            between()

    def _not_finite(self, what: str) -> UsageError:
        return UsageError(
            f"The {what} is no longer finite in step {self.step + 1} of {self.stage.name}'s epoch {self.epoch + 1}.",
            "Train with a lower learning rate (lr), which makes another run; the last saved state of this one is kept.",
        )

    def _share_of_loss(self, images: Tensor, labels: Tensor, inside: Tensor, pixels: int, area: int) -> Tensor:
        """What a micro-batch adds to the mean loss of a step, averaged over the decoders.

        Args:
            images: ``(N, H, W, 3)`` uint8 BGR.
            labels: ``(N, H, W)`` uint8.
            inside: ``(N, H, W)`` uint8, 1 where the image is and 0 beyond its edges; nothing without teachers.
            pixels: Labeled pixels of the whole step.
            area: Pixels of the whole step that are inside; of these the teachers speak, labeled or not.
        """
        seen = self.normalize(images).contiguous(memory_format=torch.channels_last)
        scores = self.precision.scores(self.net, seen)
        losses = [
            self.loss(
                # NCHW before upsampling: the class axis of the large tensor is then vectorized over pixels
                functional.interpolate(
                    score.contiguous(), scale_factor=float(self.net.stride(name)), mode="bilinear", align_corners=False
                ),
                labels.long(),
            )
            for name, score in scores.items()
        ]
        loss = torch.stack(losses).mean() / pixels
        if self.teachers is None:
            return loss
        soft_labels = self.teachers.soft_labels(images)
        taught = torch.stack([self.teachers.loss(score, soft_labels, inside) for score in scores.values()]).mean()
        weight = self.recipe.teacher_weight
        return (1 - weight) * loss + weight * self.level * int(inside.sum()) / area * taught

    def _batches(self) -> Any:
        recipe = self.recipe
        augmentation = Augmentation(
            recipe.crop,
            recipe.scales,
            recipe.color,
            balance=recipe.balance,
            inside=self.teachers is not None,
            size=recipe.size,
        )
        pairs = TrainSet(
            self.train,
            rendered=self.rendered,
            unlabeled=self.unlabeled,
            augmentation=augmentation,
            fill=self.spec.fill_bgr,
            mix=recipe.mix,
            seed=recipe.seed,
            epoch=self.epoch,
        )
        shuffled = torch.randperm(
            len(pairs), generator=torch.Generator().manual_seed(recipe.seed * 10_007 + self.epoch)
        ).tolist()
        if len(shuffled) > recipe.batch:
            shuffled = shuffled[: self.steps * recipe.batch]
        loader: DataLoader[Any] = DataLoader(
            WithErrors(pairs),
            batch_size=recipe.micro_batch,
            sampler=shuffled[self.step * recipe.batch :],
            generator=torch.Generator(),
            num_workers=self.workers,
            collate_fn=WithErrors.batch,
        )
        passes = recipe.batch // recipe.micro_batch
        group: list[list[Tensor]] = []
        for done, micro_batch in enumerate(loader):
            if isinstance(micro_batch, FcnEdgeError):
                raise micro_batch
            group.append(micro_batch)
            if len(group) == passes or done + 1 == len(loader):
                yield group
                group = []

    def state(self) -> dict[str, Any]:
        """Everything needed to go on after the last finished step.

        The images of a step and how they are augmented follow from seed, epoch and position alone, so there is no
        state of a random generator in it.
        """
        return {
            "epoch": self.epoch,
            "step": self.step,
            "loss": self._loss,
            "seconds": self._seconds,
            "best": self.best,
            "stale": self.stale,
            "net": self.net.state_dict(),
            "average": self.average.state(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best_weights": self.best_weights,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state()``.

        Raises:
            CheckpointError: It is not the state of such a network. This trainer is of no use then.
        """
        try:
            self.epoch, self.step, self.stale = int(state["epoch"]), int(state["step"]), int(state["stale"])
            self.best, self._loss, self._seconds = map(float, (state["best"], state["loss"], state["seconds"]))
            # the schedule takes over whatever it is given, and fails only in a later step
            if state["schedule"].keys() != self.schedule.state_dict().keys():
                raise KeyError("schedule")
            if state["best_weights"].keys() != self.best_weights.keys():
                raise KeyError("best_weights")
            self.net.load_state_dict(state["net"])
            self.average.restore(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.best_weights = state["best_weights"]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                "The saved state of the training does not fit its network.", "Start the training anew."
            ) from error


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory instead of handing it back to the kernel and faulting it in again.

    Activations of tens of megabytes are allocated and freed in every step; with glibc's defaults each goes through
    mmap, and zeroing its pages anew took a third of the training time on a CPU. No effect elsewhere than on glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 512 << 20)


def _groups(net: FCN, recipe: Recipe, stage: Stage) -> list[dict[str, Any]]:
    """Parameter groups: encoder and heads, each with and without weight decay."""
    groups = []
    for module, lr in ((net.encoder, stage.lr), (net.decoders, stage.lr * recipe.head_lr_factor)):
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups.append({"params": [p for p in parameters if p.ndim > 1], "lr": lr, "weight_decay": recipe.weight_decay})
        groups.append({"params": [p for p in parameters if p.ndim <= 1], "lr": lr, "weight_decay": 0.0})
    return groups


def _schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, stage: Stage, steps: int) -> LRScheduler:
    total = max(2, steps * max(1, stage.epochs))
    if recipe.schedule == "poly":
        return PolynomialLR(optimizer, total_iters=total, power=0.9)
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    # OneCycleLR divides by the length of the warm-up, share * total_steps - 1, which a short stage could make 0
    warm_up = max(min(0.25, math.ceil(total * 0.1) / total), 1.5 / (total + 1))
    return OneCycleLR(
        optimizer,
        max_lr=peaks,
        total_steps=total + 1,
        pct_start=warm_up,
        div_factor=10.0,
        final_div_factor=0.1 / LAST_LR,
    )
