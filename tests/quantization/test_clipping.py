from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from fcn_edge.artifacts.calibration_table import METHODS, CalibrationTable, Method, TensorRange, read_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Engine
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.backends.options import RunOptions
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.quantization import clipping
from fcn_edge.quantization.calibrate import THREADS
from fcn_edge.quantization.clipping import with_clipping
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.typed_graph import int8_model

FAR = 60.0
"""What a range is multiplied with to leave two or three levels for what is there, or divided by to clip most of it."""


@pytest.fixture(scope="module")
def images(levels: Any, levels_train: Path) -> list[NDArray[np.uint8]]:
    return [image.read() for image in calibration_set(levels_train, levels.spec.classes, 3).images]


def spoiled(table: CalibrationTable, good: Method) -> CalibrationTable:
    """The table with ranges that are far too wide for every method but one, or far too narrow beside min-max."""

    def ranges(span: TensorRange) -> TensorRange:
        wide = span.times(1 / FAR if good == "minmax" else FAR)
        names = {"minmax": ("low", "high"), "mse": ("mse", "mse_amax")}.get(good, (good,))
        return wide.model_copy(update={name: getattr(span, name) for name in names})

    return table.model_copy(update={"tensors": {name: ranges(span) for name, span in table.tensors.items()}})


@pytest.mark.parametrize("good", METHODS)
def test_the_method_is_taken_whose_masks_are_most_like_those_of_fp32(
    levels: Any, table_of: Any, images: list[NDArray[np.uint8]], good: Method
) -> None:
    seen: list[tuple[int, int]] = []
    table = spoiled(read_table(table_of(levels)), good)
    found = with_clipping(
        resolved_model(levels.path), table, images, progress=lambda done, total: seen.append((done, total))
    )
    assert {name: choice.method for name, choice in found.choices.items()} == dict.fromkeys(PROFILES, good)
    assert {choice.excluded_layers for choice in found.choices.values()} == {()}
    for name, tried in (("tensorrt", "tensorrt"), ("onnxruntime-7bit", "openvino")):
        on = f"levels train, 3 images without their labels, by likeness of {tried}'s graph to fp32"
        assert found.choices[name].selected_on == on
    assert found.tensors == table.tensors
    assert seen == [(done, 8) for done in range(1, 9)]


def test_of_equal_methods_least_squared_error_is_taken(
    levels: Any, table_of: Any, images: list[NDArray[np.uint8]]
) -> None:
    table = read_table(table_of(levels))
    same = {
        name: span.model_copy(
            update={
                "percentile": (span.low, span.high),
                "mse": (min(span.low, 0.0), max(span.high, 0.0)),
                "mse_amax": max(-span.low, span.high),
                "entropy": max(-span.low, span.high),
            }
        )
        for name, span in table.tensors.items()
    }
    found = with_clipping(resolved_model(levels.path), table.model_copy(update={"tensors": same}), images)
    assert found.choices["tensorrt"].method == "mse"


def test_each_kind_of_activations_has_its_own_answer(
    levels: Any, table_of: Any, images: list[NDArray[np.uint8]]
) -> None:
    """By mse only symmetric ranges are right here, and by percentile both; of equals mse is taken."""

    def ranges(span: TensorRange) -> TensorRange:
        return span.times(FAR).model_copy(update={"mse_amax": span.mse_amax, "percentile": span.percentile})

    table = read_table(table_of(levels))
    table = table.model_copy(update={"tensors": {name: ranges(span) for name, span in table.tensors.items()}})
    choices = with_clipping(resolved_model(levels.path), table, images).choices
    assert choices.pop("tensorrt").method == "mse"
    assert {name: choice.method for name, choice in choices.items()} == dict.fromkeys(choices, "percentile")
    assert choices.keys() == PROFILES.keys() - {"tensorrt"}


@pytest.mark.parametrize(("threads", "used"), [(None, THREADS), (1, 1)])
def test_every_graph_runs_with_the_threads_of_the_calibration(
    levels: Any,
    table_of: Any,
    images: list[NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
    threads: int | None,
    used: int,
) -> None:
    seen: list[int | None] = []

    def opened(path: Path, spec: ModelSpec, size: Size, options: RunOptions) -> Engine:
        seen.append(options.threads)
        return open_unfused(path, spec, size, options)

    monkeypatch.setattr(clipping, "open_unfused", opened)
    with_clipping(resolved_model(levels.path), read_table(table_of(levels)), images, threads=threads)
    assert seen == [used] * 9


@pytest.mark.parametrize("broken", METHODS)
def test_a_method_whose_graph_gives_no_numbers_is_not_taken(
    levels: Any, table_of: Any, images: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch, broken: Method
) -> None:
    def model(*arguments: Any, method: Method, **rest: Any) -> Any:
        typed = int8_model(*arguments, method=method, **rest)
        if method == broken:
            for constant in typed.model.graph.initializer:
                if constant.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16):
                    values = numpy_helper.to_array(constant)
                    constant.CopyFrom(numpy_helper.from_array(np.full_like(values, np.nan), constant.name))
        return typed

    monkeypatch.setattr(clipping, "int8_model", model)
    found = with_clipping(resolved_model(levels.path), read_table(table_of(levels)), images)
    assert found.choices.keys() == PROFILES.keys()
    assert broken not in {choice.method for choice in found.choices.values()}


def test_a_network_that_finds_no_class_has_no_choice(
    levels: Any, table_of: Any, images: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = [np.full(image.shape[:2], 255, np.uint8) for image in images]
    monkeypatch.setattr(clipping, "_masks", lambda *_: nothing)
    assert with_clipping(resolved_model(levels.path), read_table(table_of(levels)), images).choices == {}
