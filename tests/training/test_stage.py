"""What one stage's trainer makes of its settings, step by step."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.datasets import splits_of
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.io.images import write_png
from fcn_edge.nets.checkpoints import load_checkpoint, save_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.labels import label_counts
from fcn_edge.training.loss import SegmentationLoss
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.stage import StageTrainer
from fcn_edge.training.teacher_nets import CheckpointTeacher
from fcn_edge.training.teachers import Teachers
from fcn_edge.training.trainset import Extras

SIZE = (64, 96)


def trainer_of(data: Path, teachers: tuple[Path, ...] = (), **settings: Any) -> StageTrainer:
    stage = Stage(decoders=("fcn16s",), epochs=1, lr=1e-3)
    plain: dict[str, Any] = {"batch": 2, "micro_batch": 1, "crop": SIZE, "size": SIZE, "seed": 3}
    recipe = Recipe(encoder="mobilenet_v2", stages=(stage,), **{**plain, **settings})
    splits = splits_of(data)
    spec = ModelSpec(
        name="x", encoder="mobilenet_v2", decoder="fcn16s", stride=16, size=SIZE, void=11,
        classes=splits["train"].info.classes, palette=splits["train"].info.colors,
    )  # fmt: skip
    torch.manual_seed(0)
    net = FCN("mobilenet_v2", ("fcn16s",), 11)
    extras = Extras(teachers)
    shares = label_counts(splits["train"]).shares
    return StageTrainer(net, stage, recipe, spec, splits["train"], splits["val"], shares, extras, workers=0)


@pytest.mark.parametrize("factor", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_changes_no_weight(data: Path, factor: float) -> None:
    trainer = trainer_of(data)
    weights = dict(trainer.net.named_parameters())
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    # of one layer alone, behind a loss that is finite
    weights["decoders.fcn16s.score32.weight"].register_hook(lambda gradient: gradient * factor)
    with pytest.raises(UsageError) as caught:
        trainer.run_epoch(lambda *_: None)
    assert caught.value.message == "The gradient is no longer finite in step 1 of fcn16s's epoch 1."
    assert "another run" in caught.value.fix
    assert trainer.step == 0
    assert all(torch.equal(weight, before[name]) for name, weight in weights.items())


def test_a_loss_that_is_not_finite_changes_no_weight(data: Path) -> None:
    trainer = trainer_of(data)
    with torch.no_grad():
        trainer.net.get_parameter("decoders.fcn16s.score32.bias").fill_(float("nan"))
    before = trainer.net.get_parameter("encoder.features.0.0.weight").detach().clone()
    with pytest.raises(UsageError, match="The loss is no longer finite in step 1 of"):
        trainer.run_epoch(lambda *_: None)
    assert torch.equal(before, trainer.net.get_parameter("encoder.features.0.0.weight"))


def test_a_state_with_missing_parts_is_refused_before_a_step(data: Path) -> None:
    trainer = trainer_of(data)
    whole = trainer.state()
    wrong: dict[str, tuple[Any, ...]] = {
        "epoch": ("two", None),
        "best": (None,),
        "schedule": ({}, []),
        "optimizer": ({"state": {}, "param_groups": []}, 1),
        "best_weights": ({},),
        "average": ({}, None),
        "net": ([],),
    }
    states = [{**whole, key: value} for key, values in wrong.items() for value in values]
    states += [{key: value for key, value in whole.items() if key != missing} for missing in whole]
    for state in states:
        with pytest.raises(CheckpointError, match="does not fit its network"):
            trainer.restore(state)
    trainer.restore(whole)


def test_bfloat16_reaches_the_network_and_its_teachers(data: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.safetensors"
    plain = trainer_of(data)
    save_checkpoint(teacher, plain.net, plain.spec)
    losses = [trainer_of(data, (teacher,), bfloat16=on).run_epoch(lambda *_: None).loss for on in (False, True)]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]


def test_mixed_crops_are_those_of_plain_ones_with_something_pasted_on(data: Path) -> None:
    plain, some, all_of_them = (
        torch.cat([labels for group in trainer_of(data, mix=share)._batches() for _, labels, _ in group])
        for share in (0.0, 0.5, 1.0)
    )
    changed = [(mixed != plain).float().mean((1, 2)) for mixed in (some, all_of_them)]
    assert (changed[1] > 0).all()
    assert 0.05 < float(changed[1].mean()) < 0.8
    assert 0 < int((changed[0] > 0).sum()) < len(plain)
    assert torch.equal(some[changed[0] > 0], all_of_them[changed[0] > 0]), "the share decides which, not how"


def test_void_pixels_do_not_count(data: Path) -> None:
    trainer = trainer_of(data)
    trainer.net.eval()
    image, labels = (torch.from_numpy(array)[None] for array in splits_of(data)["val"][0].pair())
    upper, lower, void = labels.clone(), labels.clone(), torch.full_like(labels, 11)
    upper[:, 32:], lower[:, :32] = 11, 11
    loss = {
        name: float(trainer._share_of_loss(image, each, torch.ones_like(each), 1, 1).detach())
        for name, each in (("all", labels), ("upper", upper), ("lower", lower), ("void", void))
    }
    assert loss["void"] == 0
    assert loss["upper"] > 0
    assert loss["upper"] + loss["lower"] == pytest.approx(loss["all"], rel=1e-4)


def test_dice_is_added_at_the_level_of_the_cross_entropy(data: Path) -> None:
    """A net that knows nothing loses the mean class weight times ln 11; that weight is the unit of Dice too."""
    plain, dice = trainer_of(data), trainer_of(data, dice=0.5)
    labels = torch.stack([torch.from_numpy(sample.labels()) for sample in splits_of(data)["train"]]).long()
    labeled = labels[labels != 11]
    level = float(plain.class_weights[labeled].mean())
    assert level < 0.9, "here it is far from the mean over classes"
    scores = torch.zeros(len(labels), 11, *SIZE)
    loss = float(plain.loss(scores, labels)) / len(labeled)
    assert loss == pytest.approx(level * math.log(11), rel=1e-4)
    ratio = SegmentationLoss(torch.zeros(11), 11, dice=1.0, hardest=1.0)
    expected = level * 0.5 * float(ratio(scores, labels)) / len(labeled)
    assert float(dice.loss(scores, labels)) / len(labeled) - loss == pytest.approx(expected, rel=1e-4)


def test_without_a_labeled_pixel_there_is_no_level(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(data, root)
    for path in (root / "train/labels").iterdir():
        write_png(path, np.full(SIZE, 11, np.uint8))
    assert trainer_of(root).level == 1


def kept_weights(data: Path, **settings: Any) -> dict[str, torch.Tensor]:
    """What an epoch leaves to be used."""
    trainer = trainer_of(data, **settings)
    trainer.run_epoch(lambda *_: None)
    return trainer.best_net().state_dict()


@pytest.fixture(scope="module")
def plain_weights(data: Path) -> dict[str, torch.Tensor]:
    return kept_weights(data)


def test_the_same_settings_train_the_same_net(data: Path, plain_weights: dict[str, torch.Tensor]) -> None:
    again = kept_weights(data)
    assert all(torch.equal(weight, plain_weights[key]) for key, weight in again.items())


@pytest.mark.parametrize(
    "setting", [{"dice": 1.0}, {"hardest": 0.2}, {"balance": 1.0}, {"head_lr_factor": 1.0}, {"ema_decay": 0.0}]
)
def test_a_setting_makes_another_net(
    data: Path, plain_weights: dict[str, torch.Tensor], setting: dict[str, float]
) -> None:
    other = kept_weights(data, **setting)
    assert any(not torch.equal(weight, plain_weights[key]) for key, weight in other.items())


@pytest.fixture
def teacher(data: Path, tmp_path: Path) -> Path:
    info = splits_of(data)["train"].info
    spec = ModelSpec(
        name="teacher", encoder="mobilenet_v2", decoder="fcn8s", stride=8, size=SIZE, void=11,
        classes=info.classes, palette=info.colors,
    )  # fmt: skip
    torch.manual_seed(7)
    net = FCN("mobilenet_v2", ("fcn8s",), 11)
    torch.nn.init.normal_(net.get_parameter("decoders.fcn8s.score32.bias"), std=3)  # its features are near 0
    save_checkpoint(tmp_path / "teacher.safetensors", net, spec)
    return tmp_path / "teacher.safetensors"


def test_labels_and_teachers_have_their_shares(data: Path, teacher: Path) -> None:
    plain = trainer_of(data)
    taught = trainer_of(data, (teacher,), teacher_weight=0.25, temperature=3.0, prior_correction=0.5)
    plain.net.eval()
    taught.net.eval()
    pairs = [sample.pair() for sample in splits_of(data)["val"]]
    images, labels = (torch.stack([torch.from_numpy(pair[part]) for pair in pairs]) for part in (0, 1))
    inside = torch.zeros_like(labels)
    inside[0], inside[1, :32] = 1, 1
    pixels, area = 10_000, 4 * int(inside.sum())
    with torch.no_grad():
        of_labels = float(plain._share_of_loss(images, labels, inside, pixels, area))
        (scores,) = taught.net(taught.normalize(images)).values()
        teachers = Teachers([CheckpointTeacher(*load_checkpoint(teacher))], 3.0, 0.5 * torch.log(plain.class_weights))
        of_teachers = float(teachers.loss(scores, teachers.soft_labels(images), inside))
        both = float(taught._share_of_loss(images, labels, inside, pixels, area))
    assert min(of_labels, of_teachers) > 0.1
    assert both == pytest.approx(0.75 * of_labels + 0.25 * plain.level * of_teachers / 4, rel=1e-4)


def test_the_micro_batches_of_a_step_share_its_pixels(
    data: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(data, (teacher,), scales=(0.5, 0.7))
    share_of_loss = trainer._share_of_loss
    seen: list[tuple[int, ...]] = []

    def watched(images: torch.Tensor, labels: torch.Tensor, inside: torch.Tensor, pixels: int, area: int) -> Any:
        assert inside.shape == labels.shape
        assert not (labels[inside == 0] != 11).any()
        seen.append((int((labels != 11).sum()), pixels, int(inside.sum()), area))
        return share_of_loss(images, labels, inside, pixels, area)

    monkeypatch.setattr(trainer, "_share_of_loss", watched)
    trainer.run_epoch(lambda *_: None)
    assert len(seen) == 6
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert first[0] + second[0] == first[1] == second[1]
        assert first[2] + second[2] == first[3] == second[3] < 2 * SIZE[0] * SIZE[1]
