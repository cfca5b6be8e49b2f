"""What an export changes in a network's spec."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import onnx
import pytest

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import ModelSpec, Resize
from fcn_edge.errors import UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.network import Image, TrainedNetwork
from fcn_edge.export.onnx import _changes, onnx_from_checkpoint
from fcn_edge.export.rewrite import add_labels_head

from ..exported_networks import spec_of


class Told(TrainedNetwork):
    """A network of which nothing is known but its spec."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def graph(self) -> NoReturn:
        raise AssertionError

    def scores(self, image: Image) -> NoReturn:
        raise AssertionError

    def labels(self, image: Image) -> NoReturn:
        raise AssertionError


def test_a_mask_in_the_graph_needs_whole_cells() -> None:
    """A network of any size gives labels at multiples of its stride; one that pads its images never does."""
    spec = spec_of("resnet50", "fcn", family="other", stride=8, size=(71, 117), geometry=Geometry(size_multiple=1))
    with pytest.raises(UsageError, match=r"71x117 is not a multiple of 8 .* nearest is 72x120"):
        _changes(Told(spec), ImportOptions(), head="labels", name=None, resize=None)
    changed = spec.replace(**_changes(Told(spec), ImportOptions(size=(72, 120)), head="labels", name=None, resize=None))
    assert (changed.size, changed.geometry.size_multiple) == ((72, 120), 8)
    assert _changes(Told(spec), ImportOptions(), head="scores", name=None, resize=None) == {"head": "scores"}
    caffe = Geometry(align="stride", first=(-23.5, -23.5), padding=198, unit=32, extra_cells=-18, size_multiple=1)
    with pytest.raises(UsageError, match="no mask at full size"):
        add_labels_head(onnx.ModelProto(), spec.replace(geometry=caffe.model_dump()))


def test_a_policy_leaves_the_color_beside_the_frame() -> None:
    letterbox = Resize(anchor="center", fill=(114, 114, 114))
    spec = spec_of("yolo26n", "semantic", stride=8, resize=letterbox)

    def changed(resize: Resize) -> object:
        return _changes(Told(spec), ImportOptions(), head="scores", name=None, resize=resize)["resize"]

    assert Resize.model_validate(changed(Resize())) == letterbox
    assert Resize.model_validate(changed(Resize(policy="roi", roi=(0, 0, 0.5, 1)))).fill == (114, 114, 114)
    assert Resize.model_validate(changed(Resize(policy="stretch"))) == Resize(policy="stretch")


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "bell\a", "x" * 201])
def test_a_name_is_one_line_of_text(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a model") as caught:
        onnx_from_checkpoint(tmp_path / "net.pth", tmp_path / "net.onnx", name=name)
    assert "--name" in caught.value.fix
    assert caught.value.message.isprintable()
