"""Foreign ONNX files through an export, and what comes out beside what went in."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from fcn_edge.artifacts.spec import Size
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.onnx_network import OnnxNetwork
from fcn_edge.export.importers.onnx_scores import onnx_network
from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.onnx import onnx_from_network
from fcn_edge.export.parity import Parity, parity_of_onnx

from .foreign_graphs import MEAN, STD, save, streets

IMAGENET = ImportOptions(mean=MEAN, std=STD, color_order="rgb")


def opened(model: ModelProto, path: Path, options: ImportOptions = IMAGENET) -> OnnxNetwork:
    """The network of a file that is written to a path."""
    return onnx_network(save(model, path), options)


def parity_at(found: TrainedNetwork, path: Path, size: Size) -> Parity:
    """Export a network to a path, and compare on street scenes of a size."""
    onnx.save_model(onnx_from_network(found), path)
    return parity_of_onnx(path, found, streets(size), size=size)
