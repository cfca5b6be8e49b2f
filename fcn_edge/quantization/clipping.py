"""How INT8 clips where nobody has labels: so that the masks stay most like those of the float network.

The squared error of each tensor says little of what becomes of the masks: a ResNet-50 FCN-8s trained on CamVid from
scratch lost 3.4 points of mIoU with the ranges of least squared error and 0.3 with those of least divergence, another
network the other way round. So every method is tried on some of the calibration images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import METHODS, CalibrationTable, Method, QuantizationChoice
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import ModelError
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.quantization.calibrate import THREADS
from fcn_edge.quantization.profiles import PROFILES, Profile
from fcn_edge.quantization.typed_graph import int8_model

__all__ = ["LOOKED_AT", "with_clipping"]

Image = NDArray[np.uint8]

LOOKED_AT = 12
"""Images that the methods are compared on."""


def with_clipping(
    model: Model,
    table: CalibrationTable,
    images: Sequence[Image],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CalibrationTable:
    """A table that says for each profile by which method its activations are clipped.

    Profiles whose activations are of one kind share the answer: in what they quantize beyond that they hardly differ.
    Every graph runs node by node as it is written, with Q/DQ around arithmetic in float, so that the answer does not
    depend on the integer instructions of this processor.

    Args:
        model: The ONNX file that the table was made for.
        table: Its calibration table.
        images: ``(H, W, 3)`` uint8 BGR, at least one; best those that it was calibrated on.
        threads: Threads of ONNX Runtime; ``THREADS`` when left out.
        progress: Called with graphs tried and graphs in all.

    Raises:
        ModelError: The file is damaged, or lacks a tensor of the table.
    """
    tried = {
        profile.activations: profile for profile in reversed(tuple(PROFILES.values()))
    }  # the first one of each kind
    options = RunOptions(threads or THREADS)
    found: dict[str, QuantizationChoice] = {}
    with TemporaryDirectory() as directory:
        path = Path(directory) / "typed.onnx"
        fp32 = _masks(model.path, model.spec, table.size, options, images)
        for number, (kind, profile) in enumerate(tried.items()):
            likeness: dict[Method, float] = {}
            for method in reversed(METHODS):  # of equals the first one is taken: least squared error
                likeness[method] = _likeness(model, profile, table, method, path, options, images, fp32)
                if progress is not None:
                    progress(number * len(METHODS) + len(likeness), len(tried) * len(METHODS))
            method = max(likeness, key=likeness.__getitem__)
            on = f"{table.dataset}, {len(images)} images without their labels, by likeness to fp32"
            found[kind] = QuantizationChoice(method=method, selected_on=on)
    choices = {name: found[profile.activations] for name, profile in PROFILES.items()}
    return table.model_copy(update={"choices": choices})


def _likeness(
    model: Model,
    profile: Profile,
    table: CalibrationTable,
    method: Method,
    path: Path,
    options: RunOptions,
    images: Sequence[Image],
    fp32: Sequence[Image],
) -> float:
    """Mean IU of the masks of an INT8 graph against those of the float network.

    0 where it gives NaN or infinity, and where the float network finds no class anywhere.
    """
    typed = int8_model(model, profile, table, method=method)
    path.write_bytes(typed.model.SerializeToString())
    matrix = ConfusionMatrix(max(2, len(model.spec.classes)))
    try:
        masks = _masks(path, typed.spec, table.size, options, images)
    except ModelError:
        return 0.0
    for before, after in zip(fp32, masks, strict=True):
        matrix.update(before, after)
    return matrix.compute().mean_iou if matrix.counts.any() or matrix.missed.any() else 0.0


def _masks(path: Path, spec: ModelSpec, size: Size, options: RunOptions, images: Sequence[Image]) -> list[Image]:
    with open_unfused(path, spec, size, options) as engine, engine.session() as session:
        return [session.labels(image) for image in images]
