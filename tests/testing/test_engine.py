from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.errors import DeviceError, SourceError, UsageError
from fcn_edge.testing.engine import FakeEngine, FakeSession, fake_spec

BLACK = np.zeros((64, 96, 3), np.uint8)
WHITE = np.full((64, 96, 3), 255, np.uint8)


def test_class_follows_the_brightness_when_nothing_is_said() -> None:
    with FakeSession() as session:
        assert set(np.unique(session.labels(BLACK))) == {0}
        assert set(np.unique(session.labels(WHITE))) == {10}


def test_scores_may_be_an_array() -> None:
    scores = np.zeros((11, 8, 12), np.float32)
    scores[4] = 1
    with FakeSession(scores=scores) as session:
        assert set(np.unique(session.labels(BLACK))) == {4}
        np.testing.assert_array_equal(session.scores(BLACK), scores)


def test_scores_may_be_a_function_of_the_input() -> None:
    seen: list[tuple[int, ...]] = []

    def scores(image: np.ndarray) -> np.ndarray:
        seen.append(image.shape)
        return np.ones((11, 8, 12), np.float16)

    with FakeSession(scores=scores) as session:
        session.labels(np.zeros((360, 480, 3), np.uint8))
    assert seen == [(64, 96, 3)]


def test_the_frame_asked_for_fails_and_the_next_does_not() -> None:
    with FakeSession(fail_at=2) as session:
        session.labels(BLACK)
        with pytest.raises(DeviceError, match="lost"):
            session.labels(BLACK)
        session.labels(BLACK)


def test_it_fails_with_the_error_given() -> None:
    with FakeSession(fail_at=1, error=SourceError("Gone.")) as session, pytest.raises(SourceError, match="Gone"):
        session.labels(BLACK)


def test_calls_are_recorded_in_order() -> None:
    with FakeSession() as session:
        session.labels(BLACK)
        session.postprocess_with_confidence(session.infer(session.preprocess(BLACK)))
        session.scores(BLACK)
    assert session.calls == [*("preprocess", "infer", "postprocess") * 2, "scores", "close"]
    assert session.closed


def test_engine_remembers_its_sessions() -> None:
    engine = FakeEngine(fail_at=1)
    first, second = engine.session(), engine.session()
    assert engine.sessions == [first, second]
    for session in (first, second):
        with pytest.raises(DeviceError):
            session.labels(BLACK)
    assert not engine.closed
    engine.close()
    assert engine.closed


def test_spec_and_size_are_those_given() -> None:
    engine = FakeEngine(fake_spec(name="mine", decoder="fcn32s", stride=32), (96, 160))
    with engine.session() as session:
        assert session.scores(np.zeros((96, 160, 3), np.uint8)).shape == (11, 3, 5)
    assert engine.spec.name == "mine"


def test_fake_of_a_labels_head_needs_labels() -> None:
    spec = fake_spec(head="labels")
    with pytest.raises(UsageError, match="ends in labels"):
        FakeSession(spec)
    with FakeSession(spec, scores=np.full((64, 96), 7, np.uint8)) as session:
        assert set(np.unique(session.labels(BLACK))) == {7}
