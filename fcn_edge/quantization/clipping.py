"""How INT8 clips, chosen without labels: so that the masks stay most like those of the float network.

The squared error of each tensor says little of what becomes of the masks. On 21 images of CamVid's val, a ResNet-50
FCN-8s that was trained from scratch lost 3.4 points of mIoU in OpenVINO's graph with the ranges of least squared error,
and 0.3 with those of least divergence; the MobileNetV2 FCN-8s that ships keeps least with the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import CalibrationTable, Method, QuantizationChoice
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import ModelError
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.metrics.likeness import likeness_of
from fcn_edge.quantization.calibrate import THREADS
from fcn_edge.quantization.profiles import PROFILES, Profile
from fcn_edge.quantization.typed_graph import int8_model

__all__ = ["LOOKED_AT", "with_clipping"]

Image = NDArray[np.uint8]

LOOKED_AT = 4
"""Images that the methods are compared on. Where the choice matters, some methods are far behind on any of them."""

PREFERRED: tuple[Method, ...] = ("mse", "entropy", "percentile", "minmax")
"""Of methods that are as good, the one that comes first is taken."""

AS_GOOD = 0.002
"""Likeness that two methods may differ by and be as good: rounding on another processor moves it less."""

TRIED = {"int8": "tensorrt", "uint8": "openvino"}
"""The profile that is tried for all whose activations are of a kind.

What else these quantize changes the likeness of all methods alike: between ``openvino`` and ``onnxruntime`` it differed
by 0.02 at most and changed no choice, on FCN-32s and FCN-8s of MobileNetV2 and ResNet-50.
"""


def with_clipping(
    model: Model,
    table: CalibrationTable,
    images: Sequence[Image],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CalibrationTable:
    """A table that says for each profile by which method its activations are clipped.

    Every graph runs node by node as it is written, with Q/DQ around arithmetic in float, so that the answer does not
    depend on the integer instructions of this processor. There is no choice for profiles whose graphs cannot be made
    or run, such as around FP16 where a weight is too large for it.

    Args:
        model: The ONNX file that the table was made for.
        table: Its calibration table.
        images: ``(H, W, 3)`` uint8 BGR, at least one; best some that it was calibrated on.
        threads: Threads of ONNX Runtime; ``THREADS`` when left out.
        progress: Called with INT8 graphs tried and graphs in all.

    Raises:
        UsageError: ``threads`` is out of range.
        ModelError: The float network cannot be run.
    """
    options = RunOptions(threads or THREADS)
    fp32 = _masks(model.path, model.spec, table.size, options, images)
    found: dict[str, QuantizationChoice] = {}
    for number, (kind, name) in enumerate(TRIED.items()):
        likeness: dict[Method, float] = {}
        for done, method in enumerate(PREFERRED, 1):
            likeness[method] = _likeness(model, PROFILES[name], table, method, options, images, fp32)
            if progress is not None:
                progress(number * len(PREFERRED) + done, len(TRIED) * len(PREFERRED))
        best = max(likeness.values())
        if best > 0:
            method = next(method for method in PREFERRED if likeness[method] >= best - AS_GOOD)
            on = f"{table.dataset}, {len(images)} images without their labels, by likeness of {name}'s graph to fp32"
            found[kind] = QuantizationChoice(method=method, selected_on=on)
    kinds = {name: profile.activations for name, profile in PROFILES.items()}
    return table.model_copy(update={"choices": {name: found[kind] for name, kind in kinds.items() if kind in found}})


def _likeness(
    model: Model,
    profile: Profile,
    table: CalibrationTable,
    method: Method,
    options: RunOptions,
    images: Sequence[Image],
    fp32: Sequence[Image],
) -> float:
    """How like the masks of an INT8 graph are those of the float network; 0 where either has none."""
    matrix = ConfusionMatrix(len(model.spec.classes))
    with TemporaryDirectory() as directory:
        path = Path(directory) / "typed.onnx"
        try:
            masks = _masks(path, _write(model, profile, table, method, path), table.size, options, images)
        except ModelError:  # it cannot be made or run, or gives NaN or infinity: no reason to calibrate for no backend
            return 0.0
    for before, after in zip(fp32, masks, strict=True):
        matrix.update(before, after)
    found = likeness_of(matrix)
    return 0.0 if found is None else found.mean_iou


def _write(model: Model, profile: Profile, table: CalibrationTable, method: Method, path: Path) -> ModelSpec:
    """Write an INT8 graph and keep nothing of it in memory; returns its spec."""
    typed = int8_model(model, profile, table, method=method)
    path.write_bytes(typed.model.SerializeToString())
    return typed.spec


def _masks(path: Path, spec: ModelSpec, size: Size, options: RunOptions, images: Sequence[Image]) -> list[Image]:
    with open_unfused(path, spec, size, options) as engine, engine.session() as session:
        return [session.labels(image) for image in images]
