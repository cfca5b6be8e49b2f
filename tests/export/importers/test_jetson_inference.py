"""jetson-inference's networks, told by their inputs and operators, with the files beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper
from onnx.helper import make_tensor_value_info

from fcn_edge.artifacts.label_sets import LabelSet
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


def of_classes(count: int) -> ModelProto:
    """A network of another number of scores."""
    model = segnet()
    del model.graph.value_info[:]
    for weights in model.graph.initializer:
        if weights.name.startswith("head."):
            values = np.resize(numpy_helper.to_array(weights), (count, *weights.dims[1:]))
            weights.CopyFrom(numpy_helper.from_array(values, weights.name))
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


@pytest.mark.parametrize("count", [7, 21])
def test_without_files_beside_it(count: int, tmp_path: Path) -> None:
    """Nobody says what it was trained on, even where a known data set has as many classes."""
    path = save(of_classes(count), tmp_path / "net.onnx")
    found = trained_network(path, NOTHING_SAID)
    assert found.spec.classes == tuple(f"class {index}" for index in range(count))
    assert "No classes.txt with the names of its classes is beside it" in found.notes[-1]
    assert "--classes" in found.notes[-1]
    few = LabelSet("mine", ("road", "car"), ((1, 2, 3), (4, 5, 6)), 255)
    given = trained_network(path, ImportOptions(labels=few))
    assert given.spec.classes[:4] == ("road", "car", "unused 2", "unused 3")
    assert f"classes and 2 have names: the others are called unused 2 to unused {count - 1}." in given.notes[-1]


@pytest.mark.parametrize(("named", "others"), [(5, "unused 5 to unused 20"), (20, "unused 20"), (21, "")])
def test_fewer_names_than_scores(named: int, others: str, tmp_path: Path) -> None:
    """There are 21 scores, whatever the number of classes; those without a name were not trained for."""
    names = [f"thing {index}" for index in range(named)]
    (tmp_path / "classes.txt").write_text("\n".join(names))
    (tmp_path / "colors.txt").write_text("".join(f"{index} 20 30 255\n" for index in range(named)))
    found = trained_network(save(of_classes(21), tmp_path / "net.onnx"), NOTHING_SAID)
    assert found.spec.classes == (*names, *(f"unused {index}" for index in range(named, 21)))
    assert found.spec.palette[:5] == tuple((index, 20, 30) for index in range(5))
    assert len(set(found.spec.palette)) == 21
    said = f"It scores 21 classes and {named} have names: the others are called {others}."
    assert (said in found.notes[-1]) if others else len(found.notes) == 1


def test_files_beside_it_that_do_not_fit(tmp_path: Path) -> None:
    path = save(segnet(), tmp_path / "net.onnx")
    (tmp_path / "colors.txt").write_text("red\n")
    (tmp_path / "classes.txt").write_text("one\none\ntwo\n")
    assert trained_network(path, NOTHING_SAID).spec.classes[:4] == ("one", "one 2", "two", "unused 3")
    (tmp_path / "classes.txt").write_text("".join(f"thing {index}\n" for index in range(CLASSES + 1)))
    found = trained_network(path, NOTHING_SAID)
    assert found.spec.classes[0] == "class 0"
    assert f"It scores {CLASSES} classes and names {CLASSES + 1}: they have numbers." in found.notes[-1]
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"classes\.txt cannot be read as text"):
        trained_network(path, NOTHING_SAID)


def test_other_names_are_somebody_elses(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say what its images are normalized with"):
        trained_network(save(segnet(given="input"), tmp_path / "net.onnx"), NOTHING_SAID)
