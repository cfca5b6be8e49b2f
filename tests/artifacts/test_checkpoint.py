from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.errors import CheckpointError, SpecError
from fcn_edge.testing.engine import fake_spec

safetensors_numpy = pytest.importorskip("safetensors.numpy")

TENSORS = {"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float16), "c": np.zeros((), np.int64)}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file with a header of its own making."""

    def write(header: Any, data: bytes = b"", length: int | None = None) -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "c.safetensors"
        path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
        return path

    return write


def test_header_of_a_checkpoint(tmp_path: Path) -> None:
    spec = fake_spec(name="net")
    path = tmp_path / "c.safetensors"
    safetensors_numpy.save_file(TENSORS, path, metadata={SPEC_KEY: spec.to_json()})
    header = checkpoint_header(path)
    assert header.spec == spec
    assert (header.tensors, header.parameters) == (3, 12 + 5 + 1)
    assert header.types == {"F32": 1, "F16": 1, "I64": 1}


def test_a_checkpoint_of_the_trainer_is_one(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from fcn_edge.nets.checkpoints import save_checkpoint
    from fcn_edge.nets.fcn import FCN

    net = FCN("mobilenet_v2", ("fcn8s",), 11)
    spec = fake_spec(encoder="mobilenet_v2")
    save_checkpoint(tmp_path / "net.safetensors", net, spec)
    header = checkpoint_header(tmp_path / "net.safetensors")
    assert header.spec == spec
    assert header.parameters == sum(tensor.numel() for tensor in net.state_dict().values())


def test_torch_is_not_needed() -> None:
    code = "import sys, fcn_edge.artifacts.checkpoint; print([m for m in ('torch', 'safetensors') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_weights_without_a_spec_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    safetensors_numpy.save_file(TENSORS, path)
    with pytest.raises(CheckpointError, match="is a trained network") as caught:
        checkpoint_header(path)
    assert f"fcn-edge export {path} -o net.onnx" in caught.value.fix


def test_spec_must_be_valid(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    safetensors_numpy.save_file(TENSORS, path, metadata={SPEC_KEY: "{}"})
    with pytest.raises(SpecError):
        checkpoint_header(path)


@pytest.mark.parametrize("cut", [0, 4, 8, 20, -1])
def test_cut_off_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "c.safetensors"
    safetensors_numpy.save_file(TENSORS, path, metadata={SPEC_KEY: fake_spec().to_json()})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match="cut off"):
        checkpoint_header(path)


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"\xff\xfe{}",
        b"[" * 50_000,
        [],
        {"a": {}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": "x", "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 5]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}},
        {"__metadata__": {"x": 5}},
        {"__metadata__": []},
    ],
)
def test_damaged_header_is_refused(write: Callable[..., Path], header: Any) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoint_header(write(header, b"1234"))


def test_header_that_claims_to_be_huge_is_not_read(write: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoint_header(write({}, length=2**62))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint_header(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("shape", "end"), [([2**63], 8), ([2**62, 2**62], 8), ([1] * 33, 8), ([3, 100], 12), ([2], -8)], ids=str
)
def test_shapes_that_the_file_cannot_hold_are_damage(write: Callable[..., Path], shape: list[int], end: int) -> None:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}
    path = write({"__metadata__": {SPEC_KEY: fake_spec().to_json()}, "a": entry}, bytes(max(end, 0)))
    with pytest.raises(CheckpointError, match="not a safetensors file, or is cut off"):
        checkpoint_header(path)
