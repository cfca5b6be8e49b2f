"""One teacher: a trained network that gives class scores of images, in torch or in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fcn_edge.artifacts.file_kinds import checkpoint_format
from fcn_edge.artifacts.models import Model, resolved_model, shipped_models
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import UsageError
from fcn_edge.nets.checkpoints import load_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize
from fcn_edge.training.mixed_precision import MixedPrecision

__all__ = ["CheckpointTeacher", "OnnxTeacher", "Teacher", "teacher_file", "teacher_of"]


class Teacher(Protocol):
    """What a teacher must be able to do."""

    def scores(self, images: Tensor) -> Tensor:
        """Class scores ``(N, classes, h, w)`` float32, edge to edge, of ``(N, H, W, 3)`` uint8 BGR images."""


class CheckpointTeacher:
    """A network of ours in torch.

    Args:
        net: The network, with one decoder.
        spec: Its spec.
        bfloat16: Compute its convolutions in bfloat16.
    """

    def __init__(self, net: FCN, spec: ModelSpec, *, bfloat16: bool = False) -> None:
        self._net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._normalize = Normalize(spec.normalization)
        self._precision = MixedPrecision(net, enabled=bfloat16)

    def scores(self, images: Tensor) -> Tensor:
        """See ``Teacher``."""
        seen = self._normalize(images).contiguous(memory_format=torch.channels_last)
        (scores,) = self._precision.scores(self._net, seen).values()
        return scores


class OnnxTeacher:
    """A model in ONNX Runtime: ours, or one of others that ``fcn-edge export`` took.

    Args:
        model: The model.
        size: ``(height, width)`` of the images that it will be asked about.

    Raises:
        ModelError: ONNX Runtime refuses it.
        UsageError: It is no ONNX file, ends in labels, its scores do not lie on an image edge to edge, or it does not
            take images of that size.
    """

    def __init__(self, model: Model, size: Size) -> None:
        if model.kind != "onnx" or not model.spec.geometry.divides_evenly or model.spec.head != "scores":
            raise UsageError(
                f"The teacher {model.path} does not give scores that share the image evenly, from edge to edge.",
                "Give a checkpoint of fcn-edge train, or an ONNX file of fcn-edge export with such scores.",
            )
        only = tuple(model.graph.sides)
        if all(isinstance(side, int) for side in only) and only != size:
            raise UsageError(
                f"The teacher {model.path} takes images of {only[0]}x{only[1]} and no others; the crops are "
                f"{size[0]}x{size[1]}.",
                f"Train with --crop {only[0]}x{only[1]}, or give another teacher.",
            )
        options = RunOptions(threads=torch.get_num_threads())
        self._session = OnnxRuntime().open_onnx(model.path, model.spec, size, options).session()

    def scores(self, images: Tensor) -> Tensor:
        """See ``Teacher``; the images are of the size that was said."""
        return torch.from_numpy(np.stack([self._session.scores(image) for image in images.numpy()]))


def teacher_file(name: str | Path) -> Path:
    """The file of a teacher: a shipped model's, or the path itself.

    Raises:
        UsageError: There is neither.
    """
    if str(name) in shipped_models():
        return resolved_model(str(name)).path
    if not Path(name).is_file():
        raise UsageError(
            f"There is no teacher {name}: a shipped name, an .onnx file of fcn-edge export or a checkpoint of "
            "fcn-edge train was expected.",
            f"Shipped models: {', '.join(shipped_models()) or 'none'}.",
        )
    return Path(name)


def teacher_of(path: Path, classes: tuple[str, ...], size: Size, *, bfloat16: bool = False) -> Teacher:
    """The teacher in a file.

    Args:
        path: A checkpoint of ours, or an ONNX file of ``fcn-edge export``.
        classes: Those of the data set.
        size: ``(height, width)`` of the images that it will be asked about.
        bfloat16: Compute the convolutions of a checkpoint in bfloat16.

    Raises:
        CheckpointError: A checkpoint is damaged.
        ModelError: An ONNX file is damaged.
        UsageError: The network has other classes, gives no scores that can be taught, or takes no images of that size.
    """
    teacher: Teacher
    if path.suffix.lower() == ".onnx" and not checkpoint_format(path):
        model = resolved_model(path)
        spec, teacher = model.spec, OnnxTeacher(model, size)
    else:
        net, spec = load_checkpoint(path)
        teacher = CheckpointTeacher(net, spec, bfloat16=bfloat16)
    if spec.classes != classes:
        raise UsageError(
            f"The teacher {path} has other classes than the data set.",
            "Give a network that was trained on the same classes, in the same order.",
        )
    return teacher
