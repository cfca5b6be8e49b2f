from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional

from fcn_edge.training.loss import SegmentationLoss

VOID = 255
WEIGHTS = torch.tensor([0.5, 1.0, 2.0])


def loss_of(scores: torch.Tensor, labels: torch.Tensor, dice: float = 0.0, hardest: float = 1.0) -> torch.Tensor:
    return SegmentationLoss(WEIGHTS, VOID, dice=dice, hardest=hardest)(scores, labels)


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> torch.Tensor:
    labels = torch.randint(0, 3, (2, 4, 6), generator=torch.Generator().manual_seed(2))
    labels[0, 0] = VOID
    return labels


def sure_of(labels: torch.Tensor) -> torch.Tensor:
    """Scores that leave no doubt about labels without void."""
    return 30 * functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()


def test_all_pixels_give_the_weighted_cross_entropy(scores: torch.Tensor, labels: torch.Tensor) -> None:
    each = -torch.log_softmax(scores, 1)
    expected = sum(
        float(WEIGHTS[labels[n, y, x]] * each[n, labels[n, y, x], y, x])
        for n, y, x in (labels != VOID).nonzero().tolist()
    )
    assert float(loss_of(scores, labels)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("how", [{}, {"dice": 1.0}, {"hardest": 0.5}, {"dice": 1.0, "hardest": 0.5}])
def test_void_pixels_do_not_count(scores: torch.Tensor, labels: torch.Tensor, how: dict[str, float]) -> None:
    other = scores.clone()
    other[0, :, 0] = 9.0
    assert float(loss_of(scores, labels, **how)) == pytest.approx(float(loss_of(other, labels, **how)), rel=1e-6)
    assert float(loss_of(scores, torch.full_like(labels, VOID), **how)) == 0


def test_the_hardest_pixels_alone(scores: torch.Tensor, labels: torch.Tensor) -> None:
    each = functional.cross_entropy(scores, labels, weight=WEIGHTS, ignore_index=VOID, reduction="none").flatten()
    pixels = int((labels != VOID).sum())
    kept = each.sort(descending=True).values[: round(0.25 * pixels)]
    assert float(loss_of(scores, labels, hardest=0.25)) == pytest.approx(float(kept.mean()) * pixels, rel=1e-5)
    assert float(loss_of(scores, labels, hardest=0.25)) > float(loss_of(scores, labels))


def test_easy_pixels_get_no_gradient_among_the_hardest(labels: torch.Tensor) -> None:
    labels = labels.clamp(max=2)
    scores = sure_of(labels)
    scores[1, :, 2, 3] = 0.0
    scores.requires_grad_()
    loss_of(scores, labels, hardest=0.01).backward()
    assert scores.grad is not None
    assert scores.grad.abs().sum(1).nonzero().tolist() == [[1, 2, 3]]


def test_dice_of_what_is_right_and_of_what_is_wrong() -> None:
    labels = torch.arange(3).repeat(1, 300, 1)
    pixels = labels.numel()
    right = float(loss_of(sure_of(labels), labels, dice=1.0) - loss_of(sure_of(labels), labels))
    wrong_scores = sure_of((labels + 1) % 3)
    wrong = float(loss_of(wrong_scores, labels, dice=1.0) - loss_of(wrong_scores, labels))
    assert right / pixels == pytest.approx(0, abs=1e-3)
    assert wrong / pixels == pytest.approx(1, abs=0.01)


def test_dice_counts_a_class_of_few_pixels_like_one_of_many() -> None:
    """Losing 20 pixels of class 2, which are all it has, costs its whole third."""
    labels = torch.zeros(1, 60, 60, dtype=torch.int64)
    labels[:, 30:] = 1
    labels[0, 0, :20] = 2
    missed = sure_of(torch.where(labels == 2, 0, labels))
    dice = float(loss_of(missed, labels, dice=1.0) - loss_of(missed, labels)) / labels.numel()
    assert dice == pytest.approx(1 / 3, abs=0.02)


def test_classes_that_are_not_there_do_not_count_in_dice(labels: torch.Tensor) -> None:
    two = labels.clamp(max=1)
    scores = sure_of(two)
    dice = float(loss_of(scores, two, dice=1.0) - loss_of(scores, two))
    assert dice == pytest.approx(0, abs=1e-3)


def test_losses_of_micro_batches_add_up_to_the_gradient_of_the_batch(
    scores: torch.Tensor, labels: torch.Tensor
) -> None:
    scores.requires_grad_()
    whole = loss_of(scores, labels)
    parts = sum(loss_of(scores[n : n + 1], labels[n : n + 1]) for n in range(2))
    torch.testing.assert_close(whole, parts)
    assert isinstance(parts, torch.Tensor)
    expected, of_parts = (torch.autograd.grad(loss, scores)[0] for loss in (whole, parts))
    assert expected.any()
    torch.testing.assert_close(of_parts, expected)
