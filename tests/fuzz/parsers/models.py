"""ONNX files of ours: inspected, converted, and opened by what runs them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from ...levels_network import write_levels_network
from ...tiny_network import write_tiny_network
from ..parser import Parser
from ..structures import json_bytes, tree_damaged
from .commands import shown_by
from .messages import ONNX

__all__ = ["FRAME", "PARSERS", "SAMPLES"]

SAMPLES = Path(__file__).parents[2] / "artifacts" / "samples" / "schema2"
FRAME = np.full((48, 72, 3), 90, np.uint8)


def tiny_models(folder: Path) -> list[bytes]:
    """Models of one convolution, that end in scores and in labels, and one of three with layers to quantize."""
    paths = [
        write_tiny_network(folder / "scores.onnx").path,
        write_tiny_network(folder / "labels.onnx", head="labels").path,
        write_tiny_network(folder / "fixed.onnx", fixed=True, batched=False).path,
        write_levels_network(folder / "levels.onnx").path,
    ]
    return [path.read_bytes() for path in paths]


def all_models(folder: Path) -> list[bytes]:
    """Those, and one in INT8 that tells what it was calibrated on."""
    return [*tiny_models(folder), (SAMPLES / "int8.onnx").read_bytes()]


def metadata_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """What the file says of itself, damaged in its structure."""
    from onnx import ModelProto

    model = ModelProto.FromString(whole)
    entry = chance.choice(model.metadata_props)
    try:
        entry.value = json_bytes(tree_damaged(json.loads(entry.value), chance)).decode()
    except ValueError:  # a digest, which is no JSON
        entry.value = entry.value[::-1]
    damaged: bytes = model.SerializeToString()
    return damaged


def inspected(path: Path, _: Path) -> object:
    from fcn_edge.artifacts.models import resolved_model
    from fcn_edge.artifacts.onnx_graph import check_size, checked_graph

    model = resolved_model(path)
    shown = shown_by("inspect", path, "--dla")
    graph = checked_graph(path, batches=True)
    check_size(path, graph, model.spec.size)
    assert len(model.digest) == 64
    assert model.quantization_record is None or model.quantization_record.images
    return shown


def run_by(backend: str) -> Callable[[Path, Path], object]:
    def run(path: Path, _: Path) -> object:
        from fcn_edge.runtime.segmenter import load

        with load(path, backend=backend, threads=1) as segmenter:
            mask = segmenter(FRAME).labels
        assert mask.shape == FRAME.shape[:2]
        return mask

    return run


def converted(path: Path, beside: Path) -> object:
    """To FP16 and to INT8 with the ranges of the whole model, as far as the names are the same."""
    from fcn_edge.artifacts.models import resolved_model
    from fcn_edge.quantization.profiles import PROFILES
    from fcn_edge.quantization.typed_graph import fp16_model, int8_model

    model, table = resolved_model(path), _table(beside)
    table = table.model_copy(update={"model_digest": model.digest})
    fp16_model(model, table.tensors)
    for profile in PROFILES.values():
        int8_model(model, profile, table, method="minmax", size=model.spec.size)
    return model


@cache
def _table(folder: Path) -> object:
    from fcn_edge.artifacts.models import resolved_model
    from fcn_edge.datasets.calibration import calibration_set
    from fcn_edge.quantization.calibrate import calibration_table

    from ...levels_network import write_levels_network, write_levels_split

    levels = write_levels_network(folder / "whole.onnx")
    images = calibration_set(write_levels_split(folder / "train", levels, 6, first=100), levels.spec.classes, 6)
    return calibration_table(resolved_model(levels.path), images, threads=1)


def one_levels_model(folder: Path) -> list[bytes]:
    return [write_levels_network(folder / "levels.onnx").path.read_bytes()]


DAMAGES = (*ONNX, metadata_damaged, metadata_damaged)

INSPECT = Parser("model.inspect", "model.onnx", all_models, inspected, DAMAGES, 2, ("onnx",))
PARSERS = (
    INSPECT,
    replace(INSPECT, name="model.onnxruntime", read=run_by("onnxruntime"), needs=("onnx", "onnxruntime"), share=1.5),
    replace(
        INSPECT,
        name="model.openvino",
        wholes=tiny_models,
        read=run_by("openvino"),
        needs=("onnx", "openvino"),
        share=1,
    ),
    Parser(
        "model.convert",
        "model.onnx",
        one_levels_model,
        converted,
        ONNX[2:],
        1,
        ("onnx", "onnxruntime"),
    ),
)
