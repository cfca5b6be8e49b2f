from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize
from fcn_edge.training.teacher_nets import CheckpointTeacher
from fcn_edge.training.teachers import Teachers

CLASSES = ("a", "b", "c")
NO_SHIFT = torch.zeros(3)


def spec_of(decoder: str, classes: tuple[str, ...] = CLASSES) -> ModelSpec:
    return ModelSpec(
        name="x", encoder="mobilenet_v2", decoder=decoder, stride={"fcn32s": 32, "fcn8s": 8}[decoder], size=(64, 96),
        classes=classes, palette=tuple((n, n, n) for n in range(len(classes))), void=255,
    )  # fmt: skip


def teacher(net: FCN, spec: ModelSpec) -> CheckpointTeacher:
    return CheckpointTeacher(net, spec)


def net_of(decoder: str, seed: int = 0, classes: int = 3) -> FCN:
    torch.manual_seed(seed)
    net = FCN("mobilenet_v2", (decoder,), classes)
    for parameter in net.decoders.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=30)  # features of an untrained encoder are small
    return net


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 32, 64, 3), generator=torch.Generator().manual_seed(5)).to(torch.uint8)


def test_soft_labels_are_probabilities_at_stride_8_whatever_the_decoder(images: torch.Tensor) -> None:
    teachers = Teachers(
        [teacher(net_of("fcn32s"), spec_of("fcn32s")), teacher(net_of("fcn8s", 1), spec_of("fcn8s"))], 2.0, NO_SHIFT
    )
    soft = teachers.soft_labels(images)
    assert soft.shape == (2, 3, 4, 8)
    assert not soft.requires_grad
    torch.testing.assert_close(soft.sum(1), torch.ones(2, 4, 8))


def test_an_image_and_its_mirror_image_get_the_same_soft_labels(images: torch.Tensor) -> None:
    teachers = Teachers([teacher(net_of("fcn8s"), spec_of("fcn8s"))], 1.0, NO_SHIFT)
    soft, mirrored = teachers.soft_labels(images), teachers.soft_labels(images.flip(2))
    assert soft.std(3).max() > 1e-3
    torch.testing.assert_close(mirrored.flip(3), soft)


def test_a_pupil_that_says_the_same_loses_nothing() -> None:
    teachers = Teachers([], 2.0, NO_SHIFT)
    scores = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(1))
    soft = torch.softmax(scores / 2, 1)
    inside = torch.ones(2, 64, 96, dtype=torch.uint8)
    assert float(teachers.loss(scores, soft, inside)) == pytest.approx(0, abs=1e-5)
    assert float(teachers.loss(-scores, soft, inside)) > 0.5
    assert float(teachers.loss(scores + 7, soft, inside)) == pytest.approx(0, abs=1e-5), "a constant is no probability"


def test_the_temperature_divides_the_scores_of_both(images: torch.Tensor) -> None:
    net = net_of("fcn8s").eval()
    (scores,) = net(Normalize(spec_of("fcn8s").normalization)(images)).values()
    (mirrored,) = net(Normalize(spec_of("fcn8s").normalization)(images.flip(2))).values()
    teachers = Teachers([teacher(net, spec_of("fcn8s"))], 3.0, NO_SHIFT)
    soft = teachers.soft_labels(images)
    expected = (torch.softmax(scores / 3, 1) + torch.softmax(mirrored / 3, 1).flip(3)) / 2
    torch.testing.assert_close(soft, expected)
    pupil = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(2))
    divergence = (soft * (soft.log() - torch.log_softmax(pupil / 3, 1))).sum(1).mean()
    loss = teachers.loss(pupil, soft, torch.ones(2, 32, 64, dtype=torch.uint8))
    torch.testing.assert_close(loss, 9 * divergence)


def test_beyond_the_edges_nothing_is_taught() -> None:
    teachers = Teachers([], 1.0, NO_SHIFT)
    generator = torch.Generator().manual_seed(4)
    scores = torch.randn(2, 3, 4, 8, generator=generator, requires_grad=True)
    soft = torch.softmax(torch.randn(2, 3, 4, 8, generator=generator), 1)
    inside = torch.zeros(2, 32, 64, dtype=torch.uint8)
    inside[0, :13, 4:] = 1  # centers of the first two rows; of the first column too
    loss = teachers.loss(scores, soft, inside)
    loss.backward()
    assert scores.grad is not None
    taught = scores.grad.abs().sum(1) > 0
    assert taught[0, :2].all()
    assert taught.sum() == 16
    whole = torch.ones(1, 16, 64, dtype=torch.uint8)
    torch.testing.assert_close(loss, teachers.loss(scores[:1, :, :2], soft[:1, :, :2], whole))
    assert float(teachers.loss(scores, soft, torch.zeros_like(inside)).detach()) == 0


def test_the_shift_puts_class_weights_back_in(images: torch.Tensor) -> None:
    plain = Teachers([teacher(net_of("fcn8s"), spec_of("fcn8s"))], 1.0, NO_SHIFT).soft_labels(images)
    weights = torch.tensor([1.0, 2.0, 4.0])
    shifted = Teachers([teacher(net_of("fcn8s"), spec_of("fcn8s"))], 1.0, torch.log(weights)).soft_labels(images)
    assert (shifted[:, 2] > plain[:, 2]).all()
    assert (shifted[:, 0] < plain[:, 0]).all()


def test_the_gradient_moves_the_pupil_towards_the_teacher() -> None:
    teachers = Teachers([], 1.0, NO_SHIFT)
    soft = torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1, 1)
    scores = torch.zeros(1, 3, 1, 1, requires_grad=True)
    teachers.loss(scores, soft, torch.ones(1, 8, 8, dtype=torch.uint8)).backward()
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, torch.full_like(soft, 1 / 3) - soft)
