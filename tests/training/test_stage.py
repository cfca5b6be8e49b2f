"""What one stage's trainer makes of its settings, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.datasets import splits_of
from fcn_edge.errors import UsageError
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.stage import StageTrainer
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
    return StageTrainer(net, stage, recipe, spec, splits["train"], splits["val"], extras, workers=0)


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


def test_void_pixels_do_not_count(data: Path) -> None:
    trainer = trainer_of(data)
    trainer.net.eval()
    image, labels = (torch.from_numpy(array)[None] for array in splits_of(data)["val"][0].pair())
    upper, lower, void = labels.clone(), labels.clone(), torch.full_like(labels, 11)
    upper[:, 32:], lower[:, :32] = 11, 11
    loss = {
        name: float(trainer._share_of_loss(image, each, 1, 1).detach())
        for name, each in (("all", labels), ("upper", upper), ("lower", lower), ("void", void))
    }
    assert loss["void"] == 0
    assert loss["upper"] > 0
    assert loss["upper"] + loss["lower"] == pytest.approx(loss["all"], rel=1e-4)
