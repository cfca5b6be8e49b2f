"""Sessions over NVIDIA's own bindings and a driver without a GPU: what they give, and what becomes of failures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import preprocess_launch
from fcn_edge.testing.engine import brightness_scores, fake_spec

from ....ops.dense_reference import wrong_pixels
from ....ops.emulator import Emulator
from .conftest import Played
from .logged import calls_of, lookups_of
from .scenes import FRAME_SIZES, SIZE, frame

pytestmark = pytest.mark.system

OVER = {"leftovers": "", "misuses": ""}
"""How a scene ends that has given everything back and broken no rule."""

CAPTURED = {
    "cuStreamBeginCapture", "cuLaunchKernel", "cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemcpyAsync",
    "cuMemsetD8Async", "cuEventRecordWithFlags", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphDestroy",
}  # fmt: skip
"""Functions without which, or when they fail, frames are not captured, and run all the same."""


def test_kernels_are_compiled_for_the_gpu_and_frames_are_graphs(played: Played) -> None:
    board, card = ({"arch": arch, "graphs": True, "why": ""} for arch in ("sm_87", "sm_90"))
    assert played.report["first"] == {"gave": {"board": board, "card": card}, **OVER}
    for name in ("board", "card"):
        calls = calls_of(played.directory / f"first-{name}.log")
        magics = [call.values["magic"] for call in calls if call.name == "cuModuleLoadData"]
        assert magics == ["7f454c46"] * 3  # ELF: code for the GPU, not text


def test_no_compiler_is_needed_for_kernels_that_were_compiled_before(played: Played) -> None:
    assert played.report["warm"] == {"gave": {"nvrtc": False}, **OVER}


def test_masks_are_those_of_the_float64_reference(played: Played, tmp_path: Path) -> None:
    """Every pixel of every frame, whichever GPU, however it came there, captured or not."""
    assert played.report["masks"] == {"gave": {"count": 16 * len(FRAME_SIZES)}, **OVER}
    spec, emulator = fake_spec(), Emulator(tmp_path)
    found: dict[tuple[tuple[int, int], int], NDArray[np.uint8]] = {}
    with np.load(played.directory / "masks.npz") as masks:
        for key, labels in masks.items():
            height, width, seed = map(int, re.findall(r"\d+", key)[-3:])
            size = height, width
            if (size, seed) in found:
                np.testing.assert_array_equal(labels, found[size, seed], err_msg=key)
                continue
            found[size, seed] = labels
            image, pixels = np.empty((*SIZE, 3), np.uint8), frame(*size, seed)
            place = placement(size, SIZE, spec.resize)
            emulator.run(preprocess_launch(pixels.ctypes.data, place, spec.fill_bgr, image.ctypes.data))
            scores = brightness_scores(spec)(image)
            assert wrong_pixels(labels, scores, place.mapping(spec.stride, spec.geometry), spec.void) == 0, key
            assert len(np.unique(labels)) > 3
    assert len(found) == 3 * len(FRAME_SIZES)


def test_waits_let_other_threads_work(played: Played) -> None:
    waits = played.report["waits"]
    held = waits["gave"].pop("held")
    assert waits == {"gave": waits["gave"], **OVER}
    assert set(waits["gave"]) == {"stream", "event"}
    # one who keeps the interpreter for a tenth of a second lets the other thread count once, not a hundred times
    assert min(waits["gave"].values()) > 5 * max(held, 1)


def test_the_driver_grants_what_the_bindings_ask_for_by_nvidia_s_own_versions(played: Played) -> None:
    """The driver's table is the bindings', in which NVIDIA wrote down when a function came; newer ones are refused."""
    granted, refused = {}, set()
    for name, asked, given in lookups_of(played.directory / "first-board.log"):
        if given:
            assert (given, given <= played.driver) == (asked, True), name
            granted[name] = given
        elif asked > played.driver:
            refused.add(name)
    if played.bindings * 1000 > played.driver - 500:
        assert refused, "nothing newer was asked for: the refusal was not tried"
    used = {call.name for path in played.directory.glob("*.log") for call in calls_of(path)}
    assert used - {"cuGetExportTable"} <= set(granted)  # that one is NVRTC's
    assert len(used) > 30


def test_a_driver_without_a_function_is_said_to_be_too_old(played: Played) -> None:
    lacking = played.report["lacking"]
    assert len(lacking) > 30
    version = f"{played.driver // 1000}.{played.driver % 1000 // 10}"
    for function, told in lacking.items():
        assert "crash" not in told, (function, told)
        assert told["misuses"] == "", function
        if "gave" in told:
            assert function in CAPTURED, function
            assert not told["gave"]["graphs"]
        elif function == "cuInit":
            assert told["message"].startswith("NVIDIA's driver is not here: ")
            continue
        message = told.get("message") or told["gave"]["why"]
        called = function.removesuffix("WithFlags") if function == "cuGraphInstantiateWithFlags" else function
        early = function == "cuDriverGetVersion" or (function.startswith("cuDevice") and "Ctx" not in function)
        driver = "NVIDIA's driver" if early else f"NVIDIA's driver, for CUDA {version},"
        assert message.rstrip(".") == f"{driver} has no {called}", function


@pytest.mark.parametrize("gpu", ["board", "card"])
def test_whichever_call_fails_everything_is_given_back_and_the_error_is_ours(played: Played, gpu: str) -> None:
    failures = played.report[f"failures on a {gpu}"]
    assert len(failures) > 100
    for told in failures:
        check_failure(told)
        if told["failed"] not in ("cuCtxPushCurrent", "cuCtxPopCurrent"):
            assert told["leftovers"] == "", told
        elif told["leftovers"]:  # without a context nothing can be freed; it goes with the context
            assert "context" not in told["leftovers"], told


def test_a_gpu_that_fails_from_then_on_ends_with_an_error_of_ours_too(played: Played) -> None:
    failures = played.report["failures from then on"]
    assert len(failures) > 50
    for told in failures:
        check_failure(told)
        assert "context" not in told["leftovers"], told
        assert "error" in told, told


def test_the_driver_would_tell_of_wrong_uses(played: Played) -> None:
    """What the other tests hold to be empty is not when there is something to tell."""
    told = played.report["wrong uses"]
    assert {use: said.partition(" [")[0] for use, said in told["gave"].items()} == {
        "null stream": "the null stream",
        "unknown stream": "stream",
        "beyond the memory": "memory that is not allocated",
        "external record": "an external record outside of a capture",
        "written beyond": "written beyond its end",
        "freed twice": "device memory",
        "not current": "no context is current",
    }
    assert told["leftovers"] == "1 event"


def check_failure(told: dict[str, Any]) -> None:
    assert told["failed"], told
    assert "crash" not in told, told
    assert told["misuses"] == "", told
    if "error" not in told:  # a frame is not captured when that fails; nothing else may pass unseen
        assert told["failed"] in CAPTURED, told
        return
    assert told["error"] in ("MachineError", "DeviceError")
    assert re.fullmatch(r"[A-Z][^\n]+[a-zA-Z)]\.", told["message"]), told
    assert told["fix"], told
