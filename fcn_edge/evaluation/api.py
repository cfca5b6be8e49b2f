"""``fcn_edge.evaluate``: what ``fcn-edge evaluate`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import Size
from fcn_edge.datasets import LabeledSplit, split_of
from fcn_edge.evaluation import accuracy
from fcn_edge.evaluation.leakage import calibration_images, refuse_calibration_images
from fcn_edge.runtime.segmenter import load

__all__ = ["evaluate"]


def evaluate(
    model: str | Path | Model,
    data: str | Path | LabeledSplit,
    *,
    size: Size | None = None,
    backend: str = "auto",
    device: int = 0,
    threads: int | None = None,
    comparing: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> accuracy.Accuracy:
    """Score a model on labeled images, at their full size: mIoU and the paper's other three measures.

    Classes are matched by name; void pixels do not count.

    Args:
        model: A shipped name, an ``.onnx`` file, an engine directory, or a model that is open already.
        data: A split (``images/`` and ``labels/``), or rendered scenes such as ``synthetic://street?seed=100&frames=50``.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's own when left out.
        backend: What runs an ``.onnx`` file: ``auto`` or a name of ``fcn_edge.backends.BACKENDS``.
        device: Index of the GPU that a GPU backend uses, from 0, as CUDA counts them.
        threads: Threads of a CPU backend; the physical cores that the process may use when left out.
        comparing: Called with images compared with those of the calibration and images in all.
        progress: Called with images scored and images in all.

    Raises:
        UsageError: An argument makes no sense, or does not fit the engine.
        DatasetError: The images are missing or damaged, have a class that the model does not know, or are those that an
            INT8 model was calibrated on.
        ArtifactError: The model is missing, damaged, or an engine made for something else.
        MachineError: The backend's library or device is not here.
    """
    split = split_of(data) if isinstance(data, str | Path) else data
    found = resolved_model(model)
    with load(found, size=size, backend=backend, threads=threads, device=device) as segmenter:
        # an engine's files have been verified by now
        refuse_calibration_images(calibration_images(found), split, comparing)
        return accuracy.evaluate(segmenter.session, split, progress)
