from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import fcn_edge

HEAVY = ("cv2", "torch", "onnx", "onnxruntime", "openvino", "pydantic", "numpy", "click")


def in_fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def test_import_brings_in_no_library() -> None:
    found = in_fresh_interpreter(f"import sys, fcn_edge; print([m for m in {HEAVY} if m in sys.modules])")
    assert found == "[]"


def test_everything_is_visible_before_it_is_used() -> None:
    assert in_fresh_interpreter("import fcn_edge; print(sorted(fcn_edge.__all__) == dir(fcn_edge))") == "True"


def test_all_is_what_a_star_import_brings() -> None:
    code = "before = set(dir()); from fcn_edge import *; print(sorted(set(dir()) - before - {'before'}))"
    assert in_fresh_interpreter(code) == str(sorted(fcn_edge.__all__))


def test_nothing_of_ours_is_public_and_left_out() -> None:
    code = (
        "import fcn_edge; fcn_edge.load, fcn_edge.stream; "
        "print([name for name, value in vars(fcn_edge).items() if not name.startswith('_') "
        "and getattr(value, '__module__', '').startswith('fcn_edge') and name not in fcn_edge.__all__])"
    )
    assert in_fresh_interpreter(code) == "[]"


@pytest.mark.parametrize("name", fcn_edge.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(fcn_edge, name)
    if name != "__version__":
        assert inspect.getdoc(value)
        assert value.__module__.startswith("fcn_edge.")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'segment'"):
        _ = fcn_edge.segment


def test_load_needs_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, fcn_edge.runtime.segmenter, fcn_edge.artifacts.engine_manifest, fcn_edge.runtime.pipeline; "
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'cv2') if m in sys.modules])"
    )
    assert in_fresh_interpreter(code) == "[]"
