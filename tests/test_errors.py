from __future__ import annotations

import inspect
import pickle
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import pytest

from fcn_edge import errors

EXIT_CODES = {
    "FcnEdgeError": 1,
    "UsageError": 2,
    "ArtifactError": 3,
    "SpecError": 3,
    "TableError": 3,
    "ModelError": 3,
    "CheckpointError": 3,
    "EngineError": 3,
    "DatasetError": 3,
    "GuardError": 4,
    "SourceError": 5,
    "FrameError": 5,
    "MachineError": 6,
    "MissingExtraError": 6,
    "DeviceError": 6,
}


def test_every_error_has_its_exit_code() -> None:
    found = {
        name: thing.exit_code
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, errors.FcnEdgeError)
    }
    assert found == EXIT_CODES
    assert sorted(errors.__all__) == sorted(found)


def test_the_tree_that_the_docstring_draws_is_the_tree() -> None:
    assert errors.__doc__
    lines = [line for line in errors.__doc__.splitlines() if line.startswith("    ")]
    path: list[str] = []
    drawn = set()
    for line in lines:
        name = next(word for word in line.split() if word.endswith("Error"))
        level = (line.index(name) - 4) // 4  # each level is indented by four columns more
        path = [*path[:level], name]
        drawn.add(name)
        if level:
            assert getattr(errors, name).__bases__[0].__name__ == path[level - 1]
    assert drawn == set(EXIT_CODES)


def test_a_message_and_its_fix() -> None:
    error = errors.DatasetError("A thing is broken.", "Fix it.")
    assert (error.message, error.fix, str(error)) == ("A thing is broken.", "Fix it.", "A thing is broken. Fix it.")
    assert str(errors.DatasetError("A thing is broken.")) == "A thing is broken."


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    error = errors.MissingExtraError("torch", "export", "Training")
    assert "Training needs the Python package torch" in error.message
    assert error.fix.endswith("pip install 'fcn_edge[export]'")


@pytest.mark.parametrize(
    ("opencv", "package", "command"),
    [
        (False, "onnxruntime", "pip install 'fcn_edge[cpu]'"),
        (True, "onnxruntime", "pip install onnxruntime"),
        (True, "openvino", "pip install 'fcn_edge[openvino]'"),
    ],
)
def test_no_command_brings_a_second_opencv(
    monkeypatch: pytest.MonkeyPatch, opencv: bool, package: str, command: str
) -> None:
    """``fcn_edge[cpu]`` brings ``opencv-python``, which overwrites ``opencv-python-headless``."""
    finder = SimpleNamespace(find_spec=lambda name: ModuleSpec(name, None) if opencv else None)
    monkeypatch.setattr(errors, "PathFinder", finder)
    error = errors.MissingExtraError(package, "cpu" if package == "onnxruntime" else package, "This")
    assert error.fix == f"Install it with: {command}"


@pytest.mark.parametrize("kind", [errors.DatasetError, errors.SourceError, errors.FcnEdgeError])
def test_errors_cross_process_borders(kind: type[errors.FcnEdgeError]) -> None:
    error = pickle.loads(pickle.dumps(kind("A thing is broken.", "Fix it.")))
    assert type(error) is kind
    assert (error.message, error.fix) == ("A thing is broken.", "Fix it.")


def test_a_missing_extra_survives_pickling() -> None:
    error = errors.MissingExtraError("onnx", "export", "Exporting")
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.package, copied.extra) == (str(error), "onnx", "export")


def test_no_error_carries_raw_text_of_others() -> None:
    """The key of a file must neither fill a terminal, nor color it, nor fake a second message."""
    key = "k" * 5000 + "\x1b[2J\nError: all is well"
    error = errors.ArtifactError(f"m.json has the key {key}.", f"Build it: fcn-edge build {key}")
    assert error.message.isprintable()
    assert error.fix.isprintable()
    assert len(str(error)) < 5010
    assert error.message.startswith("m.json has the key kkk")
    assert error.message.endswith("\\x1b[2J\\nError: all is well.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
