"""Class weights are taken back from the scores, whatever the decoder."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.nets.fcn import FCN
from fcn_edge.training.averaging import Average
from fcn_edge.training.prior import correct_prior
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.stage import StageTrainer

DECODERS = ("fcn32s", "fcn16s", "fcn8s")
WEIGHTS = torch.tensor([0.25, 1.0, 4.0])


def test_every_decoder_is_shifted_by_the_log_of_the_weights() -> None:
    torch.manual_seed(0)
    net = FCN("mobilenet_v2", DECODERS, 3).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = net(image)
        correct_prior(net, WEIGHTS, 0.5)
        after = net(image)
    shift = 0.5 * torch.log(WEIGHTS)
    for name in DECODERS:
        torch.testing.assert_close(after[name], before[name] - shift.view(1, 3, 1, 1))


def test_full_strength_undoes_a_weighted_posterior() -> None:
    # weighted cross-entropy is minimal where the scores' softmax is proportional to weight * probability
    probability = torch.tensor([0.7, 0.2, 0.1])
    net = FCN("mobilenet_v2", ("fcn32s",), 3).eval()
    score = net.decoders["fcn32s"].score32
    with torch.no_grad():
        score.weight.zero_()
        score.bias.copy_(torch.log(WEIGHTS * probability))
        correct_prior(net, WEIGHTS, 1.0)
        scores = net(torch.zeros(1, 3, 32, 32))["fcn32s"][0, :, 0, 0]
    torch.testing.assert_close(torch.softmax(scores, 0), probability)


def test_no_strength_leaves_the_scores_alone() -> None:
    net = FCN("mobilenet_v2", ("fcn8s",), 3)
    before = net.decoders["fcn8s"].score32.bias.detach().clone()
    correct_prior(net, WEIGHTS, 0.0)
    assert torch.equal(net.decoders["fcn8s"].score32.bias, before)


def test_training_keeps_weights_uncorrected_and_gives_out_corrected_ones() -> None:
    trainer = StageTrainer.__new__(StageTrainer)
    net = FCN("mobilenet_v2", ("fcn32s",), 3)
    trainer.average = Average(net, 0.995)
    trainer.best_weights = {key: value.clone() for key, value in net.state_dict().items()}
    trainer.class_weights = WEIGHTS
    trainer.recipe = Recipe(encoder="mobilenet_v2", stages=(Stage(decoders=("fcn32s",), epochs=1, lr=1e-3),))
    trainer.best = 0.5
    key = "decoders.fcn32s.score32.bias"
    shift = trainer.recipe.prior_correction * torch.log(WEIGHTS)
    torch.testing.assert_close(trainer.best_net().state_dict()[key], trainer.best_weights[key] - shift)
    # asking twice must not take the weights back twice
    torch.testing.assert_close(trainer.best_net().state_dict()[key], trainer.best_weights[key] - shift)
    trainer.best = -1.0  # nothing was trained, so there is nothing to take back
    assert torch.equal(trainer.best_net().state_dict()[key], trainer.best_weights[key])
