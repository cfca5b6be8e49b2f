"""``fcn_edge.export_onnx``: what ``fcn-edge export`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.datasets.class_names import labels_from_text
from fcn_edge.datasets.plain_images import image_files, images_of
from fcn_edge.errors import needed_for

if TYPE_CHECKING:
    from fcn_edge.export.onnx import Export

__all__ = ["export_onnx"]


def export_onnx(
    checkpoint: str | Path,
    output: str | Path,
    *,
    arch: str | None = None,
    decoder: str | None = None,
    size: Size | None = None,
    classes: str | Path | None = None,
    head: Literal["scores", "labels"] = "scores",
    resize: Resize | None = None,
    weights: Literal["fp32", "fp16"] = "fp32",
    name: str | None = None,
    images: str | Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Export:
    """Make a self-describing ONNX file of a trained checkpoint, and check it against the checkpoint in torch.

    Args:
        checkpoint: What ``fcn-edge train`` wrote.
        output: The ONNX file to write.
        arch: What the checkpoint is expected to be: encoder and decoder (``vgg16-fcn8s``), or one of them.
        decoder: The decoder it is expected to have: ``fcn32s``, ``fcn16s`` or ``fcn8s``.
        size: Default network size ``(height, width)``; the checkpoint's when left out. The file takes every other, too.
        classes: Other class names: ``camvid``, ``cityscapes``, ``voc``, or a TOML, JSON or text file.
        head: ``scores`` ends at class scores at the decoder's stride, ``labels`` at a full-size mask.
        resize: How frames are brought to the network's size; as the checkpoint says when left out.
        weights: ``fp16`` halves the file; the graph computes in float32 all the same.
        name: What the model is called; as the checkpoint says when left out.
        images: Folder of images to compare both on; rendered street scenes when left out.
        tell: Called with a line before each long step.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or no checkpoint of fcn_edge.
        UsageError: An argument does not fit the checkpoint, or the output may not be written.
        GuardError: File and checkpoint agree on too few pixels.
        DatasetError: The images cannot be read.
        MissingExtraError: torch or another package of the ``[export]`` extra is not installed.
    """
    with needed_for("An export"):
        from fcn_edge.export.onnx import onnx_from_checkpoint

    return onnx_from_checkpoint(
        Path(checkpoint),
        Path(output),
        arch=arch,
        decoder=decoder,
        size=size,
        head=head,
        name=name,
        labels=None if classes is None else labels_from_text(str(classes)),
        resize=resize,
        weights=weights,
        images=None if images is None else images_of(image_files(Path(images))),
        tell=tell,
    )
