from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.errors import ModelError
from fcn_edge.evaluation.guard import LEAST_LIKENESS, LabeledGuard, LabeledScore, RenderedGuard
from fcn_edge.testing.engine import FakeSession, fake_spec

from .splits import Mask, Split, blocks, session_of

ABC = ("a", "b", "c")
FRAME = np.zeros((64, 96, 3), np.uint8)


def split_of_three() -> Split:
    """Two images, the three classes in equal parts."""
    return Split([blocks([0, 1, 2]), blocks([2, 0, 1])], ABC)


def session_giving(mask: Mask) -> FakeSession:
    """A session that gives one 8x12 grid of classes whatever it sees."""
    scores = np.eye(11, dtype=np.float32)[mask].transpose(2, 0, 1)
    return FakeSession(fake_spec(), (64, 96), np.ascontiguousarray(scores))


def damaged(share: float) -> FakeSession:
    """Reads images right, but for class ``a`` in a share of the rows of cells, where it says ``b``."""
    right = session_of(ABC)

    def network(image: Mask) -> Mask:
        scores = np.array(right.run_network(image))
        rows = round(scores.shape[1] * share)
        swapped = scores[0, :rows] > scores[1, :rows]
        scores[1, :rows][swapped] += 1000
        return scores

    return FakeSession(right.spec, (64, 96), network)


def test_plan_that_is_the_float_network_loses_nothing() -> None:
    verdict = LabeledGuard(split_of_three(), session_of(ABC), 0.0, 0.0).judge(session_of(ABC))
    assert verdict.holds
    assert (verdict.drop, verdict.worst_class, verdict.worst_drop) == (0.0, "", 0.0)
    assert verdict.accuracy is not None
    assert verdict.accuracy.images == 2
    assert "-0.0" not in verdict.sentence
    assert "no class loses any" in verdict.sentence


@pytest.mark.parametrize("more", [1.01, 0.99])
@pytest.mark.parametrize("limit", ["mIoU", "class"])
def test_each_limit_decides_alone(limit: str, more: float) -> None:
    free = LabeledGuard(split_of_three(), session_of(ABC), 1.0, 1.0).judge(damaged(0.25))
    assert free.holds
    assert free.worst_class == "a"
    assert free.worst_drop > free.drop > 0
    limits = {"mIoU": (free.drop * more, 1.0), "class": (1.0, free.worst_drop * more)}[limit]
    verdict = LabeledGuard(split_of_three(), session_of(ABC), *limits).judge(damaged(0.25))
    assert verdict.holds is (more > 1)
    assert verdict.drop == free.drop


def test_drop_is_in_miou_between_the_two() -> None:
    guard = LabeledGuard(split_of_three(), session_of(ABC), 0.01, 0.03)
    verdict = guard.judge(damaged(0.5))
    assert verdict.accuracy is not None
    assert verdict.drop == guard.reference.scores.mean_iou - verdict.accuracy.scores.mean_iou
    assert verdict.worst_drop == (guard.reference.per_class["a"] or 0) - (verdict.accuracy.per_class["a"] or 0)


def test_plan_that_is_better_gains() -> None:
    verdict = LabeledGuard(split_of_three(), damaged(0.5), 0.0, 0.0).judge(session_of(ABC))
    assert verdict.holds
    assert verdict.drop < 0
    assert "+" in verdict.sentence


def test_class_that_vanishes_loses_all_of_its_iu() -> None:
    verdict = LabeledGuard(split_of_three(), session_of(ABC), 0.01, 0.03).judge(damaged(1.0))
    assert not verdict.holds
    assert verdict.worst_class == "a"
    assert verdict.worst_drop > 0.9


def test_classes_that_no_label_shows_are_not_compared() -> None:
    split = Split([blocks([0, 1])], ("a", "b"), shown=ABC)
    verdict = LabeledGuard(split, session_of(ABC), 0.0, 0.0).judge(session_of(ABC))
    assert verdict.holds
    assert verdict.accuracy is not None
    assert verdict.accuracy.per_class["c"] is None
    assert " over 2 of 3 classes beside " in verdict.sentence


@pytest.mark.parametrize("stray_in", ["engine", "float network"])
def test_a_stray_pixel_of_a_class_without_labels_neither_costs_nor_gains(stray_in: str) -> None:
    split = Split([blocks([0, 1])], ABC)
    stray = np.zeros((64, 96), np.uint8)
    stray[:16, :16] = 2

    class Straying:
        def __init__(self) -> None:
            self.session = session_of(ABC)
            self.spec, self.size, self.batch = self.session.spec, self.session.size, 1

        def labels_batch(self, frames: list[Mask]) -> list[Mask]:
            return [np.where(stray, stray, mask) for mask in self.session.labels_batch(frames)]

    engine: Any = Straying() if stray_in == "engine" else session_of(ABC)
    reference: Any = session_of(ABC) if stray_in == "engine" else Straying()
    verdict = LabeledGuard(split, reference, 1.0, 1.0).judge(engine)
    assert verdict.accuracy is not None
    assert verdict.accuracy.per_class["c"] is None
    assert abs(verdict.drop) < 0.1, "a class that is taken into the mean would be worth 33 points"


def test_sentence_says_what_was_measured_on_what_and_allowed() -> None:
    verdict = LabeledGuard(split_of_three(), session_of(ABC), 0.01, 0.03).judge(damaged(0.25))
    assert verdict.accuracy is not None
    for part in (
        "tiny val, 2 images",
        f"mIoU {verdict.accuracy.scores.mean_iou:.2%} beside ",
        f"({-100 * verdict.drop:+.1f} points; 1.0 points allowed)",
        f"worst class a {-100 * verdict.worst_drop:+.1f} points (3.0 points allowed)",
    ):
        assert part in verdict.sentence


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (0.0, "0.0"),
        (0.01, "1.0"),
        (0.07, "7.0"),
        (0.0025, "0.25"),
        (0.0001, "0.01"),
        (0.00001, "0.001"),
        (1.0, "100.0"),
    ],
)
def test_limits_are_said_as_they_were_given(limit: float, said: str) -> None:
    sentence = LabeledGuard(split_of_three(), session_of(ABC), limit, limit).judge(session_of(ABC)).sentence
    assert f"; {said} points allowed)" in sentence
    assert f" ({said} points allowed)" in sentence


def test_score_without_a_reference_holds_and_says_so() -> None:
    verdict = LabeledScore(split_of_three()).judge(damaged(1.0))
    assert verdict.holds
    assert verdict.accuracy is not None
    assert f"mIoU {verdict.accuracy.scores.mean_iou:.2%}" in verdict.sentence
    assert "not at hand" in verdict.sentence


def grid(changed_rows: int) -> Mask:
    """Columns of the classes 0 and 1; in the first rows, 0 everywhere."""
    mask = np.tile(np.arange(12, dtype=np.uint8) // 6, (8, 1))
    mask[:changed_rows] = 0
    return mask


def test_same_masks_on_rendered_scenes_hold() -> None:
    verdict = RenderedGuard([FRAME, FRAME], session_giving(grid(0))).judge(session_giving(grid(0)))
    assert verdict.holds
    assert verdict.drop == 0
    assert verdict.accuracy is None
    assert "2 rendered scenes: 100.0% of the pixels" in verdict.sentence


@pytest.mark.parametrize("rows", range(9))
def test_likeness_is_the_mean_iu_of_the_two_masks(rows: int) -> None:
    verdict = RenderedGuard([FRAME], session_giving(grid(0))).judge(session_giving(grid(rows)))
    same = session_giving(grid(0)).labels(FRAME) == session_giving(grid(rows)).labels(FRAME)
    assert f"{same.mean():.1%} of the pixels" in verdict.sentence
    assert verdict.holds is (verdict.drop <= 1 - LEAST_LIKENESS)
    assert verdict.holds is (rows == 0)


def test_what_it_says_of_rare_classes() -> None:
    before = np.zeros((100, 100), np.uint8)
    before[50:] = 1
    before.reshape(-1)[:50] = 2
    verdict = RenderedGuard([FRAME], giving(before)).judge(giving(np.where(before == 2, 0, before).astype(np.uint8)))
    assert verdict.holds, "half of a hundredth of the pixels, which are edges"
    assert verdict.sentence.endswith("mean IU of the two masks 99.5%, without 1 rare class (93% expected)")


def test_masks_without_any_class_are_alike_by_their_pixels() -> None:
    nothing = np.full((10, 10), 255, np.uint8)
    verdict = RenderedGuard([FRAME], giving(nothing)).judge(giving(nothing))
    assert verdict.holds
    assert verdict.sentence == (
        "1 rendered scenes: 100.0% of the pixels as fp32 has them, no class of which it finds (93% expected)"
    )
    assert not RenderedGuard([FRAME], giving(nothing)).judge(giving(np.zeros_like(nothing))).holds


def giving(mask: Mask) -> Any:
    """A session that gives one mask whatever it sees."""
    return SimpleNamespace(
        spec=fake_spec(), batch=1, labels=lambda _: mask, labels_batch=lambda frames: [mask] * len(frames)
    )


def test_scores_that_are_no_numbers_are_a_model_error() -> None:
    broken = FakeSession(fake_spec(), (64, 96), np.full((11, 8, 12), np.nan, np.float32))
    with pytest.raises(ModelError, match="NaN"):
        RenderedGuard([FRAME], session_giving(grid(0))).judge(broken)
