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
from fcn_edge.backends.base import Session
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

    Raises:
        UsageError: It is no ONNX file, ends in labels, or its scores do not lie on an image edge to edge.
    """

    def __init__(self, model: Model) -> None:
        if model.kind != "onnx" or not model.spec.geometry.divides_evenly or model.spec.head != "scores":
            raise UsageError(
                f"The teacher {model.path} does not give scores that share the image evenly, from edge to edge.",
                "Give a checkpoint of fcn-edge train, or an ONNX file of fcn-edge export with such scores.",
            )
        self._model = model
        self._sessions: dict[Size, Session] = {}

    def scores(self, images: Tensor) -> Tensor:
        """See ``Teacher``.

        Raises:
            ModelError: The model does not take images of that size.
        """
        height, width = images.shape[1:3]
        session = self._session((height, width))
        return torch.from_numpy(np.stack([session.scores(image) for image in images.numpy()]))

    def _session(self, size: Size) -> Session:
        if size not in self._sessions:
            options = RunOptions(threads=torch.get_num_threads())
            self._sessions[size] = OnnxRuntime().open_onnx(self._model.path, self._model.spec, size, options).session()
        return self._sessions[size]


def teacher_file(name: str | Path) -> Path:
    """The file of a teacher: a shipped model's, or the path itself."""
    return resolved_model(str(name)).path if str(name) in shipped_models() else Path(name)


def teacher_of(path: Path, classes: tuple[str, ...], *, bfloat16: bool = False) -> Teacher:
    """The teacher in a file.

    Args:
        path: A checkpoint of ours, or an ONNX file of ``fcn-edge export``.
        classes: Those of the data set.
        bfloat16: Compute the convolutions of a checkpoint in bfloat16.

    Raises:
        CheckpointError: A checkpoint is damaged.
        ModelError: An ONNX file is damaged.
        UsageError: The network has other classes, or gives no scores that can be taught.
    """
    teacher: Teacher
    if path.suffix.lower() == ".onnx" and not checkpoint_format(path):
        model = resolved_model(path)
        spec, teacher = model.spec, OnnxTeacher(model)
    else:
        net, spec = load_checkpoint(path)
        teacher = CheckpointTeacher(net, spec, bfloat16=bfloat16)
    if spec.classes != classes:
        raise UsageError(
            f"The teacher {path} has other classes than the data set.",
            "Give a network that was trained on the same classes, in the same order.",
        )
    return teacher
