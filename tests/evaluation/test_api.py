from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.datasets import split_of
from fcn_edge.errors import DatasetError
from fcn_edge.evaluation import accuracy
from fcn_edge.evaluation.api import evaluate
from fcn_edge.runtime.segmenter import load

STREET = "synthetic://street?seed=2&frames=2&size=64x96"


def test_scores_a_model_on_a_split(tiny: Any) -> None:
    seen: list[tuple[int, int]] = []
    found = evaluate(tiny.path, STREET, size=(96, 64), progress=lambda done, total: seen.append((done, total)))
    with load(tiny.path, size=(96, 64)) as segment:
        expected = accuracy.evaluate(segment.session, split_of(STREET))
    assert found.scores.mean_iou == expected.scores.mean_iou
    assert found.size == (96, 64)
    assert seen == [(1, 2), (2, 2)]
    assert evaluate(str(tiny.path), split_of(STREET)).images == 2


def test_refuses_the_images_of_the_calibration(levels_int8: Path, levels_train: Path, levels_val: Path) -> None:
    assert evaluate(levels_int8, levels_val).scores.mean_iou == 1.0
    compared: list[tuple[int, int]] = []
    with pytest.raises(DatasetError, match="used to calibrate"):
        evaluate(
            resolved_model(levels_int8), levels_train, comparing=lambda done, total: compared.append((done, total))
        )
    assert compared[-1] == (6, 6)
