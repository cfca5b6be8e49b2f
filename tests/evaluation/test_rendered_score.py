from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fcn_edge.evaluation.rendered_score import RenderedScore, RenderedScoring
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.testing.engine import FakeEngine, fake_spec

MakeResult = Callable[..., Result]
CLASSES = fake_spec().classes


def mean_of(score: RenderedScore) -> float:
    assert score.scores is not None
    return score.scores.mean_iou


def labeled(result: Result, labels: np.ndarray) -> Result:
    return replace(result, frame=replace(result.frame, labels=labels))


def test_is_one_where_every_pixel_agrees(make_result: MakeResult) -> None:
    score = RenderedScore(CLASSES, CLASSES)
    result = make_result()
    score.update(labeled(result, result.segmentation.labels))
    assert mean_of(score) == 1.0


def test_is_the_mean_over_shared_classes(make_result: MakeResult) -> None:
    # the mask: class 3 to the left, 0 to the right; the truth: class 3 on the upper half, 0 on the lower
    result = make_result()
    labels = np.zeros_like(result.segmentation.labels)
    labels[:24] = 3
    score = RenderedScore(CLASSES, CLASSES)
    score.update(labeled(result, labels))
    assert mean_of(score) == pytest.approx(1 / 3)


def test_matches_names_and_not_numbers(make_result: MakeResult) -> None:
    result = make_result()
    rendered = ("unheard of", CLASSES[3], CLASSES[0])
    truth = np.where(result.segmentation.labels == 3, 1, 2).astype(np.uint8)
    score = RenderedScore(rendered, CLASSES)
    score.update(labeled(result, truth))
    assert mean_of(score) == 1.0


def test_leaves_out_pixels_that_only_the_source_can_name(make_result: MakeResult) -> None:
    result = make_result()
    truth = result.segmentation.labels.copy()
    truth[:, :40] = 5
    names = [*CLASSES]
    names[5] = "unheard of"
    score = RenderedScore(names, CLASSES)
    score.update(labeled(result, truth))
    # all that is left is class 0, predicted as such
    assert mean_of(score) == 1.0


def test_counts_predictions_of_classes_that_the_source_lacks_as_wrong(make_result: MakeResult) -> None:
    result = make_result()
    names = [*CLASSES]
    names[3] = "unheard of"
    score = RenderedScore(names, CLASSES)
    score.update(labeled(result, np.zeros_like(result.segmentation.labels)))
    assert mean_of(score) == pytest.approx(0.5)
    assert score.scores is not None
    assert score.scores.classes_present == 1


def test_is_unknown_without_labels_or_shared_classes(make_result: MakeResult) -> None:
    score = RenderedScore((), CLASSES)
    score.update(make_result())
    assert score.scores is None
    score = RenderedScore(("a", "b", CLASSES[0]), CLASSES)
    result = make_result()
    score.update(labeled(result, result.segmentation.labels))
    assert score.scores is None
    assert RenderedScore(CLASSES, CLASSES).scores is None


def test_listens_to_a_run() -> None:
    scoring, lazy = RenderedScoring(), RenderedScoring()
    assert scoring.scores is None
    assert scoring.to_json() == {}
    results: list[Result] = []
    with Segmenter(FakeEngine()) as segment:
        address = "synthetic://street?seed=3&size=64x96&frames=3"
        run(
            address,
            segment,
            (),
            [scoring, lambda event: results.append(event.result) if hasattr(event, "result") else None],
        )
        assert lazy.scores is None
    expected = RenderedScore(CLASSES, CLASSES)
    for result in results:
        expected.update(result)
    assert expected.scores is not None
    assert scoring.scores == expected.scores
    assert scoring.to_json() == {
        "rendered_miou": round(expected.scores.mean_iou, 6),
        "rendered_classes_present": expected.scores.classes_present,
        "rendered_classes": len(CLASSES),
    }
