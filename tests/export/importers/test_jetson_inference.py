"""jetson-inference's networks, told by their inputs and operators, with the files beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import ModelProto
from onnx.helper import make_tensor_value_info

from fcn_edge.artifacts.spec import Normalization, Resize
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.registry import trained_network

from .foreign_exports import parity_at
from .foreign_forms import segnet
from .foreign_graphs import CLASSES, save

NOTHING_SAID = ImportOptions()


def as_pytorch_1_1_wrote_it(model: ModelProto) -> ModelProto:
    """Of opset 9, with its weights among the inputs."""
    model.opset_import[0].version, model.ir_version = 9, 3
    weights = model.graph.initializer
    model.graph.input.extend(make_tensor_value_info(each.name, each.data_type, each.dims) for each in weights)
    return model


@pytest.mark.parametrize("size", [(128, 192), (160, 96)], ids=str)
def test_it_is_fed_as_segnet_feeds_it(size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("".join(f"thing {index}\n" for index in range(CLASSES)))
    (tmp_path / "colors.txt").write_text("".join(f"{index} 20 30 255\n" for index in range(CLASSES)))
    model = segnet(size=size) if size[0] == 128 else as_pytorch_1_1_wrote_it(segnet(size=size))
    found = trained_network(save(model, tmp_path / "fcn_resnet18.onnx"), NOTHING_SAID)
    spec = found.spec
    assert (spec.name, spec.family, spec.stride, spec.geometry.align) == (
        "fcn_resnet18",
        "jetson-inference",
        32,
        "edges",
    )
    assert (spec.normalization, spec.resize, spec.size) == (Normalization(), Resize(policy="stretch"), size)
    assert spec.classes[1] == "thing 1"
    assert spec.palette[1] == (1, 20, 30)
    assert "segNet gives blocks" in found.notes[0]
    result = parity_at(found, tmp_path / "ours.onnx", size)
    assert result.label_agreement >= 0.999
    assert result.max_abs_diff <= 1e-3 * result.score_range
    assert len(result.classes) >= 5


def test_without_files_beside_it(tmp_path: Path) -> None:
    spec = trained_network(save(segnet(), tmp_path / "net.onnx"), NOTHING_SAID).spec
    assert spec.classes[0] == "class 0"


def test_files_beside_it_that_do_not_fit(tmp_path: Path) -> None:
    path = save(segnet(), tmp_path / "net.onnx")
    (tmp_path / "colors.txt").write_text("red\n")
    (tmp_path / "classes.txt").write_text("one\none\ntwo\n")
    assert trained_network(path, NOTHING_SAID).spec.classes[0] == "class 0"
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"classes\.txt cannot be read as text"):
        trained_network(path, NOTHING_SAID)


def test_other_names_are_somebody_elses(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say what its images are normalized with"):
        trained_network(save(segnet(given="input"), tmp_path / "net.onnx"), NOTHING_SAID)
