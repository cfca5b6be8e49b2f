from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.errors import ModelError, TableError, UsageError
from fcn_edge.quantization.api import calibrate
from fcn_edge.quantization.calibrate import calibration_table
from fcn_edge.quantization.clipping import with_clipping
from fcn_edge.quantization.profiles import PROFILES


def test_writes_the_table_that_it_gives(levels: Any, levels_train: Path, tmp_path: Path) -> None:
    output = tmp_path / "table.json"
    told: list[str] = []
    seen: list[tuple[int, int]] = []
    clipped: list[tuple[int, int]] = []
    table = calibrate(
        levels.path,
        str(levels_train),
        str(output),
        count=4,
        tell=told.append,
        progress=lambda done, total: seen.append((done, total)),
        clipping=lambda done, total: clipped.append((done, total)),
    )
    assert read_table(output) == table
    images = calibration_set(levels_train, levels.spec.classes, 4)
    model = resolved_model(levels.path)
    assert table == with_clipping(model, calibration_table(model, images), [image.read() for image in images.images])
    assert table.choices.keys() == PROFILES.keys()
    assert told == list(images.notes)
    assert seen[-1] == (4, 4)
    assert clipped[-1] == (8, 8)


def test_takes_an_open_model_and_writes_down_what_it_chose(levels: Any, levels_train: Path, tmp_path: Path) -> None:
    looked: list[tuple[int, int]] = []
    chosen = tmp_path / "chosen.json"
    table = calibrate(
        resolved_model(levels.path),
        levels_train,
        tmp_path / "table.json",
        count=4,
        manifest=chosen,
        choosing=lambda done, total: looked.append((done, total)),
    )
    assert looked[-1] == (6, 6)
    again = calibrate(levels.path, chosen, tmp_path / "again.json", root=str(levels_train))
    assert again.images == table.images
    with pytest.raises(UsageError, match="is the manifest of the images and would be replaced by the table"):
        calibrate(levels.path, chosen, chosen)
    with pytest.raises(UsageError, match="multiple of 32"):
        calibrate(levels.path, levels_train, tmp_path / "table.json", size=(100, 100))


def test_refuses_what_cannot_be_calibrated(levels: Any, levels_train: Path, levels_int8: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    with pytest.raises(UsageError, match="is an engine"):
        calibrate(levels_int8, levels_train, table)
    with pytest.raises(UsageError, match=r"does not end in \.json"):
        calibrate(levels.path, levels_train, tmp_path / "table.txt")
    with pytest.raises(UsageError, match="no directory"):
        calibrate(levels.path, levels_train, tmp_path / "no" / "table.json")
    with pytest.raises((ModelError, TableError), match=r"no such|There is no|nothing"):
        calibrate(tmp_path / "nothing.onnx", levels_train, table)
    assert not list(tmp_path.iterdir())


def test_what_one_kind_of_backend_cannot_hold_is_calibrated_for_the_others(
    levels: Any, levels_train: Path, tmp_path: Path
) -> None:
    """FP16, which TensorRT's graphs compute in around INT8, ends at 65504."""
    proto = onnx.load_model(levels.path)
    factors = {"encoder.features.1.0.weight": np.float32(1e-6), "decoder.score8.weight": np.float32(1e6)}
    for weight in proto.graph.initializer:
        if weight.name in factors:
            values = numpy_helper.to_array(weight) * factors[weight.name]
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save_model(proto, tmp_path / "large.onnx")
    told: list[str] = []
    table = calibrate(tmp_path / "large.onnx", levels_train, tmp_path / "table.json", tell=told.append)
    assert table.choices.keys() == PROFILES.keys() - {"tensorrt"}
    assert told[-1] == "How to clip could not be compared for tensorrt; builds clip by least squared error there."


def test_threads_are_checked_before_minutes_of_work(levels: Any, levels_train: Path, tmp_path: Path) -> None:
    looked: list[tuple[int, int]] = []
    with pytest.raises(UsageError, match="threads is 1025"):
        calibrate(
            levels.path,
            levels_train,
            tmp_path / "table.json",
            threads=1025,
            choosing=lambda done, total: looked.append((done, total)),
        )
    assert looked == []
