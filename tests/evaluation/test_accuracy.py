from __future__ import annotations

from threading import main_thread

import numpy as np
import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets import DatasetInfo, split_of
from fcn_edge.errors import DatasetError
from fcn_edge.evaluation.accuracy import ClassMapping, evaluate
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.testing.engine import FakeSession, fake_spec

from .splits import Mask, Split, blocks, session_of

ABC = ("a", "b", "c")


def test_the_measures_are_those_of_the_masks() -> None:
    split = Split([blocks([0, 1, 2, 1]), blocks([2, 2, 0])], ABC)
    split.samples[0].image()[:32] = 255  # the model takes the upper half for c
    session = session_of(ABC)
    matrix = ConfusionMatrix(3)
    for sample in split:
        matrix.update(sample.labels(), session.labels(sample.image()))
    accuracy = evaluate(session, split)
    assert accuracy.scores == matrix.compute()
    assert 0.5 < accuracy.scores.mean_iou < 1
    assert accuracy.per_class == dict(zip(ABC, accuracy.scores.per_class, strict=True))
    assert (accuracy.images, accuracy.dataset, accuracy.split, accuracy.rendered) == (2, "tiny", "val", False)
    assert accuracy.size == (64, 96)
    assert accuracy.seconds > 0


def test_frames_of_any_size_are_scored_in_full() -> None:
    split = Split([np.zeros((37, 53), np.uint8), np.zeros((130, 90), np.uint8)], ABC)
    split.samples[1].labels()[:, :45] = 255
    seen: list[tuple[int, ...]] = []
    session = session_of(ABC)
    plain = session.labels
    session.labels = lambda frame: seen.append(frame.shape) or plain(frame)  # type: ignore[func-returns-value, method-assign]
    accuracy = evaluate(session, split)
    assert seen == [(37, 53, 3), (130, 90, 3)]
    assert accuracy.scores.pixel_accuracy == 1
    assert accuracy.per_class == {"a": 1, "b": None, "c": None}


def test_classes_are_matched_by_name() -> None:
    mask = np.full((64, 96), 1, np.uint8)
    mask[:32] = 0
    in_order = evaluate(session_of(ABC), Split([2 - mask], ABC))
    turned_round = evaluate(session_of(ABC), Split([mask], ABC[::-1], shown=ABC))
    assert turned_round.per_class == in_order.per_class
    assert list(turned_round.per_class) == ["a", "b", "c"]
    assert turned_round.scores.mean_iou == pytest.approx(in_order.scores.mean_iou)


def test_a_data_set_may_have_fewer_classes_than_the_model() -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[:, 48:] = 1
    split = Split([mask], ("a", "c"), shown=ABC)
    split.samples[0].image()[:, :24] = 128  # the model sees class b, which the labels know nothing of
    accuracy = evaluate(session_of(ABC), split)
    assert accuracy.per_class["b"] is None
    iou_a, iou_c = accuracy.per_class["a"], accuracy.per_class["c"]
    assert iou_a is not None
    assert iou_c is not None
    assert iou_a == pytest.approx(0.5, abs=0.05), "half of a was taken for b, which is wrong"
    assert accuracy.scores.mean_iou == pytest.approx((iou_a + iou_c) / 2), "b is not one of the classes that count"


def test_a_class_that_the_model_does_not_know_is_an_error() -> None:
    split = Split([np.zeros((64, 96), np.uint8)], ("a", "boat", "b"))
    with pytest.raises(DatasetError, match=r"does not know: boat.*has a, boat, b; the model has a, b, c"):
        evaluate(session_of(ABC), split)


def test_only_void_cannot_be_scored() -> None:
    with pytest.raises(DatasetError, match="tiny val cannot be scored: no pixel"):
        evaluate(session_of(ABC), Split([np.full((64, 96), 255, np.uint8)], ABC))


def test_images_are_read_in_another_thread_and_progress_is_told() -> None:
    split = Split([blocks([index]) for index in (0, 1, 2)], ABC)
    moves: list[tuple[int, int]] = []
    evaluate(session_of(ABC), split, lambda done, total: moves.append((done, total)))
    assert all(sample.read_in is not main_thread() for sample in split)
    assert moves == [(1, 3), (2, 3), (3, 3)]


def test_a_damaged_image_is_the_error_that_it_is() -> None:
    split = Split([blocks([0]), blocks([1]), blocks([2])], ABC)

    def fail() -> tuple[Mask, Mask]:
        raise DatasetError("frame 1 is damaged.")

    split.samples[1].pair = fail  # type: ignore[method-assign]
    with pytest.raises(DatasetError, match="frame 1 is damaged"):
        evaluate(session_of(ABC), split)


def test_rendered_scenes_are_labeled_as_rendered() -> None:
    accuracy = evaluate(FakeSession(), split_of("synthetic://street?seed=2&frames=2&size=40x50"))
    assert accuracy.rendered
    assert accuracy.to_json()["rendered"] is True
    assert (accuracy.dataset, accuracy.split, accuracy.images) == ("rendered-street", "seed 2", 2)


def test_the_json_has_the_promised_keys() -> None:
    result = evaluate(session_of(ABC), Split([blocks([0, 1])], ABC)).to_json()
    assert {"miou", "pixel_accuracy", "mean_accuracy", "fw_iou", "per_class", "images", "seconds"} <= set(result)
    assert result["per_class"]["c"] is None
    assert 0 < result["miou"] <= 1


def test_unknown_pixels_are_no_class_even_where_void_is_a_low_number() -> None:
    labels = LABEL_SETS["camvid"]
    info = DatasetInfo(name="x", classes=labels.classes[::-1], void=255)
    mapped = ClassMapping(fake_spec(), info)(np.array([[0, 10, 11, 200]], np.uint8))
    assert mapped.tolist() == [[10, 0, 255, 255]]


def test_images_are_scored_as_many_at_once_as_the_network_takes() -> None:
    split = Split([np.full((32, 64), level, np.uint8) for level in (0, 1, 2, 1, 0)], ABC)
    alone = session_of(ABC)
    together = FakeSession(alone.spec, batch=2)
    done: list[int] = []
    accuracy = evaluate(together, split, lambda images, _: done.append(images))
    assert together.calls.count("infer 2") == 2
    assert together.calls.count("infer 1") == 1
    assert done == [2, 4, 5]
    assert accuracy.scores == evaluate(alone, split).scores
