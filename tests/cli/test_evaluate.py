from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets import split_of
from fcn_edge.io.images import write_png
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.runtime.segmenter import load

Run = Callable[..., Any]
STREET = "synthetic://street?seed=2&frames=2&size=70x90"
KEYS = {"miou", "classes_present", "pixel_accuracy", "mean_accuracy", "fw_iou", "per_class", "images", "seconds"}


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Two images with labels of two of the model's classes, in another order."""
    split = tmp_path / "mine" / "test"
    (split / "images").mkdir(parents=True)
    (split / "labels").mkdir()
    (tmp_path / "mine/dataset.toml").write_text('name = "mine"\nclasses = ["road", "sky"]\n')
    random = np.random.default_rng(0)
    for index in range(2):
        write_png(split / f"images/{index}.png", random.integers(0, 256, (50, 60, 3), np.uint8))
        write_png(split / f"labels/{index}.png", random.choice(np.array([0, 1, 255], np.uint8), (50, 60)))
    return split


def test_the_measures_of_a_model_on_files(fcn_edge: Run, tiny: Any, split: Path) -> None:
    outcome = fcn_edge("evaluate", tiny.path, "--data", split, "--json")
    assert outcome.code == 0
    result = outcome.json
    assert set(result) >= KEYS
    matrix = ConfusionMatrix(2)
    number = {"road": 0, "sky": 1}
    table = np.array([number.get(name, 255) for name in LABEL_SETS["camvid"].classes] + [255] * 245, np.uint8)
    with load(tiny.path) as segment:
        for sample in split_of(split):
            image, labels = sample.pair()
            matrix.update(labels, table[segment(image).labels])
    scores = matrix.compute()
    assert result["miou"] == scores.mean_iou
    assert result["pixel_accuracy"] == scores.pixel_accuracy
    assert result["mean_accuracy"] == scores.mean_accuracy
    assert result["fw_iou"] == scores.fw_iou
    assert (result["per_class"]["road"], result["per_class"]["sky"]) == scores.per_class
    assert result["per_class"]["car"] is None
    assert list(result["per_class"]) == list(LABEL_SETS["camvid"].classes)
    assert (result["images"], result["dataset"], result["split"]) == (2, "mine", "test")
    assert result["rendered"] is False
    assert result["size"] == [64, 96]


def test_engine_is_read_once(fcn_edge: Run, levels_int8: Path, levels_val: Path, reads: Any) -> None:
    assert fcn_edge("evaluate", levels_int8, "--data", levels_val).code == 0
    assert reads == {("manifest", levels_int8): 1}


def test_people_see_percent_with_data_set_and_split(fcn_edge: Run, tiny: Any, split: Path) -> None:
    out = fcn_edge("evaluate", tiny.path, "--data", split).out
    assert "tiny-0 at 64x96 on mine test (2 images)" in out
    assert "rendered" not in out
    miou = fcn_edge("evaluate", tiny.path, "--data", split, "--json").json["miou"]
    lines = {line.split("  ")[0]: line.split()[-1] for line in out.splitlines() if "  " in line}
    assert lines["mIoU over 2 of 11 classes"] == f"{miou:.2%}"
    assert "The labels have no pixel of sky" not in out
    assert "The labels have no pixel of building, pole, pavement, tree, sign, fence, car, pedestrian and 1 more" in out
    assert {"pixel accuracy", "mean accuracy over 2 of 11 classes", "frequency-weighted IoU", "road", "sky"} <= set(
        lines
    )
    assert lines["car"] == "-"


def test_rendered_scores_are_always_labeled(fcn_edge: Run, tiny: Any) -> None:
    outcome = fcn_edge("evaluate", tiny.path, "--data", STREET)
    assert outcome.code == 0
    assert "on rendered-street seed 2 (2 images, rendered images: says nothing of accuracy on real ones)" in outcome.out
    result = fcn_edge("evaluate", tiny.path, "--data", STREET, "--json").json
    assert result["rendered"] is True
    assert result["images"] == 2


def test_another_network_size(fcn_edge: Run, tiny: Any) -> None:
    result = fcn_edge("evaluate", tiny.path, "--data", STREET, "--size", "32x64", "--threads", "1", "--json").json
    assert result["size"] == [32, 64]


@pytest.mark.parametrize(
    ("model", "data", "code", "says"),
    [
        ("absent.onnx", STREET, 3, "no model 'absent.onnx'"),
        ("{tiny}", "absent", 3, "no data directory"),
        ("{tiny}", "synthetic://street?speed=1", 2, "no meaning for 'speed'"),
        ("{tiny}", "{split}/..", 3, "is not a split"),
    ],
)
def test_what_is_not_there(fcn_edge: Run, tiny: Any, split: Path, model: str, data: str, code: int, says: str) -> None:
    model, data = model.format(tiny=tiny.path), data.format(split=split)
    outcome = fcn_edge("evaluate", model, "--data", data)
    assert outcome.code == code
    assert says in outcome.err
    assert "Fix: " in outcome.err
    assert outcome.out == ""
    assert fcn_edge("evaluate", model, "--data", data, "--json").json["exit_code"] == code


def test_classes_that_the_model_does_not_know(fcn_edge: Run, tiny: Any, split: Path) -> None:
    (split.parent / "dataset.toml").write_text('name = "mine"\nclasses = ["road", "boat"]\n')
    outcome = fcn_edge("evaluate", tiny.path, "--data", split)
    assert outcome.code == 3
    assert "does not know: boat" in outcome.err


def test_an_unknown_backend(fcn_edge: Run, tiny: Any) -> None:
    outcome = fcn_edge("evaluate", tiny.path, "--data", STREET, "--backend", "abacus")
    assert outcome.code == 2
    assert "onnxruntime" in outcome.err


def test_int8_engine_and_graph_are_not_scored_on_images_that_they_were_calibrated_on(
    fcn_edge: Run, levels: Any, levels_int8: Path, levels_train: Path, levels_val: Path
) -> None:
    for model in (levels_int8, levels_int8 / "model.onnx"):
        refused = fcn_edge("evaluate", model, "--data", levels_train, "--json")
        assert (refused.code, refused.json["exit_code"]) == (3, 3)
        assert "6 of the 6 images of levels train were used to calibrate" in refused.json["error"]
        assert "00, 01" in refused.json["error"]
        assert fcn_edge("evaluate", model, "--data", levels_val, "--json").json["miou"] > 0.95
    assert fcn_edge("evaluate", levels.path, "--data", levels_train).code == 0
