from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.errors import UsageError


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"threads": 0}, "threads is 0"),
        ({"threads": -2}, "threads is -2"),
        ({"threads": 1025}, "threads is 1025; 1 to 1024 was expected"),
        ({"device": -1}, "device is -1"),
        ({"preprocess_on": "gpu"}, "preprocess_on is 'gpu'"),
    ],
)
def test_run_options_that_make_no_sense_are_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        RunOptions(**how)
    assert caught.value.fix


def test_build_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="device is -1"):
        BuildOptions(device=-1)


@pytest.mark.parametrize("options", [RUN_DEFAULTS, BUILD_DEFAULTS])
def test_options_are_frozen(options: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.device = 1


@pytest.mark.parametrize("options", [RunOptions(device=1), BuildOptions(device=1), RunOptions(preprocess_on="device")])
def test_a_processor_has_no_gpu(options: RunOptions | BuildOptions) -> None:
    with pytest.raises(UsageError, match="openvino runs on the processor"):
        options.check_for_cpu("openvino")


@pytest.mark.parametrize(
    "options", [RUN_DEFAULTS, BUILD_DEFAULTS, RunOptions(threads=3, graphs=False, preprocess_on="host")]
)
def test_a_processor_takes_the_rest(options: RunOptions | BuildOptions) -> None:
    options.check_for_cpu("openvino")


@pytest.mark.parametrize("batch", [0, 17])
def test_no_engine_takes_so_many_frames(batch: int) -> None:
    with pytest.raises(UsageError, match=f"batch is {batch}; 1 to 16"):
        BuildOptions(batch=batch)


def test_several_frames_are_for_backends_that_take_them() -> None:
    BuildOptions(device=1).check_single("tensorrt")
    BuildOptions(batch=16).check_for_cpu("openvino")
    with pytest.raises(UsageError, match="tensorrt takes one frame at a time"):
        BuildOptions(batch=2).check_single("tensorrt")
