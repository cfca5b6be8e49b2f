from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

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
        "import fcn_edge; fcn_edge.load, fcn_edge.stream, fcn_edge.run; "
        "print([name for name, value in vars(fcn_edge).items() if not name.startswith('_') "
        "and getattr(value, '__module__', '').startswith('fcn_edge') and name not in fcn_edge.__all__])"
    )
    assert in_fresh_interpreter(code) == "[]"


@pytest.mark.parametrize("name", fcn_edge.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(fcn_edge, name)
    if name != "__version__":
        assert inspect.getdoc(value)
        home = value.__name__ if inspect.ismodule(value) else value.__module__
        assert home.startswith("fcn_edge.")


def test_no_name_is_hidden_by_a_package_or_module_that_is_imported() -> None:
    """An import of ``fcn_edge.export`` sets the attribute ``export``, whatever stood there before."""
    own = {path.stem for path in Path(fcn_edge.__file__).parent.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert own & set(fcn_edge.__all__) == {"errors"}


def test_every_function_survives_its_use_and_the_import_of_every_package() -> None:
    code = (
        "import importlib, inspect, pkgutil, fcn_edge\n"
        "for found in pkgutil.iter_modules(fcn_edge.__path__):\n"
        "    if found.name != '__main__': importlib.import_module(f'fcn_edge.{found.name}')\n"
        "names = [name for name in fcn_edge.__all__ if name not in ('__version__', 'errors')]\n"
        "for _ in range(2):\n"
        "    print([name for name in names if not callable(getattr(fcn_edge, name))])"
    )
    assert in_fresh_interpreter(code) == "[]\n[]"


@pytest.mark.parametrize(
    ("name", "verb"),
    [("export_onnx", "export"), ("calibrate", "calibrate"), ("build", "build"), ("evaluate", "evaluate")],
)
def test_functions_take_what_their_verb_takes(name: str, verb: str) -> None:
    command = import_module(f"fcn_edge.cli.{verb}").command
    options = {parameter.name for parameter in command.params}
    flags = {"as_json", "debug", "onnx_only", "save_manifest"}
    renamed = {"source": "images", "no_guard": "guard"}
    parameters = inspect.signature(getattr(fcn_edge, name)).parameters
    assert {renamed.get(option, option) for option in options - flags} <= parameters.keys()


def test_every_name_is_there_without_the_libraries_and_says_what_it_needs() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'onnxscript', 'safetensors')))\n"
        "from fcn_edge import *; import fcn_edge\n"
        "def said(call):\n"
        "    try: call()\n"
        "    except errors.MissingExtraError as error: return error.extra\n"
        "print(said(lambda: export_onnx('c.safetensors', 'net.onnx')), "
        "said(lambda: calibrate('camvid-mobilenet_v2-fcn8s', 'photos', 'table.json')))"
    )
    assert in_fresh_interpreter(code) == "convert convert"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'segment'"):
        _ = fcn_edge.segment


def test_load_needs_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, fcn_edge.runtime.segmenter, fcn_edge.artifacts.engine_manifest, fcn_edge.runtime.runner; "
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'cv2') if m in sys.modules])"
    )
    assert in_fresh_interpreter(code) == "[]"
