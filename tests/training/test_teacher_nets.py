from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.models import ZOO, resolved_model
from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.export.onnx import onnx_from_checkpoint
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.quantization.typed_graph import fp32_model
from fcn_edge.training.teacher_nets import CheckpointTeacher, OnnxTeacher, teacher_file, teacher_of

from .test_teachers import CLASSES, net_of, spec_of

SIZE = (32, 64)
NAME = "camvid-mobilenet_v2-fcn8s"


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 32, 64, 3), generator=torch.Generator().manual_seed(5)).to(torch.uint8)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "teacher.safetensors", net_of("fcn8s").eval(), spec_of("fcn8s"))
    return tmp_path / "teacher.safetensors"


def test_a_checkpoint_and_its_onnx_file_teach_the_same(checkpoint: Path, tmp_path: Path, images: torch.Tensor) -> None:
    onnx_from_checkpoint(checkpoint, tmp_path / "teacher.onnx")
    ours, exported = (teacher_of(path, CLASSES, SIZE) for path in (checkpoint, tmp_path / "teacher.onnx"))
    assert isinstance(ours, CheckpointTeacher)
    assert isinstance(exported, OnnxTeacher)
    with torch.no_grad():
        expected, scores = ours.scores(images), exported.scores(images)
    assert scores.shape == (2, 3, 4, 8)
    assert float((scores - expected).abs().max() / expected.abs().max()) < 1e-3


def test_a_checkpoint_may_compute_in_bfloat16(checkpoint: Path, images: torch.Tensor) -> None:
    with torch.no_grad():
        exact, near = (teacher_of(checkpoint, CLASSES, SIZE, bfloat16=on).scores(images) for on in (False, True))
    assert near.dtype == torch.float32
    assert 0 < float((near - exact).abs().max() / exact.abs().max()) < 0.05


def test_shipped_models_are_teachers_by_name(images: torch.Tensor) -> None:
    path = teacher_file(NAME)
    assert path == ZOO / NAME / "model.onnx"
    for name in ("camvid-mobilenet_v2-fcn8", str(path.parent)):
        with pytest.raises(UsageError, match=f"There is no teacher {name}") as caught:
            teacher_file(name)
        assert NAME in caught.value.fix
    assert teacher_of(path, resolved_model(NAME).spec.classes, SIZE).scores(images).shape == (2, 11, 4, 8)


def test_a_teacher_has_the_classes_of_the_data(checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="has other classes than the data set"):
        teacher_of(checkpoint, ("a", "c", "b"), SIZE)
    with pytest.raises(UsageError, match="has other classes than the data set"):
        teacher_of(teacher_file(NAME), CLASSES, SIZE)


def test_a_mask_teaches_nothing(checkpoint: Path, tmp_path: Path) -> None:
    onnx_from_checkpoint(checkpoint, tmp_path / "labels.onnx", head="labels")
    with pytest.raises(UsageError, match="does not give scores that share the image evenly"):
        teacher_of(tmp_path / "labels.onnx", CLASSES, SIZE)


@pytest.mark.parametrize("name", ["absent.onnx", "absent.safetensors", "damaged.onnx"])
def test_teachers_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"\x08\x01nothing")
    with pytest.raises(FcnEdgeError) as caught:
        teacher_of(tmp_path / name, CLASSES, SIZE)
    assert str(tmp_path / name) in caught.value.message


def test_a_teacher_of_one_size_teaches_crops_of_that_size(checkpoint: Path, tmp_path: Path) -> None:
    onnx_from_checkpoint(checkpoint, tmp_path / "open.onnx")
    model = resolved_model(tmp_path / "open.onnx")
    fixed = fp32_model(model, size=(64, 96)).model
    (tmp_path / "fixed.onnx").write_bytes(fixed.SerializeToString())
    assert teacher_of(tmp_path / "fixed.onnx", CLASSES, (64, 96))
    with pytest.raises(UsageError, match="takes images of 64x96 and no others; the crops are 32x64") as caught:
        teacher_of(tmp_path / "fixed.onnx", CLASSES, SIZE)
    assert "--crop 64x96" in caught.value.fix
