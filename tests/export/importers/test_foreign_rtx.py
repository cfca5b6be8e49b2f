"""TensorRT-RTX takes the graphs of foreign files; it builds without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import ModelProto

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.registry import trained_network
from fcn_edge.export.onnx import onnx_from_network
from fcn_edge.quantization.calibrate import ranges_of_images
from fcn_edge.quantization.typed_graph import fp16_model, fp32_model

from ...quantization.test_tensorrt_rtx import Compiled, compiled, library
from .foreign_exports import IMAGENET
from .foreign_forms import small_yolo, two_readers
from .foreign_graphs import save, streets

__all__ = ["compiled", "library"]

SIZE = (64, 96)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "options"), [(small_yolo, ImportOptions()), (two_readers, IMAGENET)], ids=["yolo", "two readers"]
)
def test_graphs_compile(
    form: Callable[..., ModelProto], options: ImportOptions, compiled: Compiled, tmp_path: Path
) -> None:
    network = trained_network(save(form(SIZE), tmp_path / "theirs.onnx"), options)
    onnx.save_model(onnx_from_network(network), tmp_path / "ours.onnx")
    ours = resolved_model(tmp_path / "ours.onnx")
    ranges = ranges_of_images(ours, streets(SIZE), size=SIZE)
    for typed in (fp32_model(ours, size=SIZE), fp16_model(ours, ranges, size=SIZE)):
        assert compiled(typed.model, SIZE)
