"""``fcn_edge.export_onnx``: what ``fcn-edge export`` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.datasets.class_names import labels_from_text
from fcn_edge.datasets.plain_images import image_files, images_of
from fcn_edge.errors import UsageError, needed_for

if TYPE_CHECKING:
    from fcn_edge.export.network import Image
    from fcn_edge.export.onnx import Export

__all__ = ["export_onnx"]

MOST_COMPARED = 8
"""Images of a folder, spread over it: each takes seconds on a large network, and shows millions of pixels."""


def export_onnx(
    checkpoint: str | Path,
    output: str | Path,
    *,
    arch: str | None = None,
    decoder: str | None = None,
    size: Size | None = None,
    classes: str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    color_order: Literal["rgb", "bgr"] | None = None,
    output_name: str | None = None,
    head: Literal["scores", "labels"] = "scores",
    resize: Resize | None = None,
    weights: Literal["fp32", "fp16"] = "fp32",
    name: str | None = None,
    images: str | Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    comparing: Callable[[int, int], None] = lambda *_: None,
) -> Export:
    """Make a self-describing ONNX file of a trained network, and check it against that network.

    Args:
        checkpoint: What ``fcn-edge train`` wrote, or the weights or the ONNX file of a network that somebody else
            trained: the documentation lists the families.
        output: The ONNX file to write.
        arch: What the checkpoint is expected to be: encoder and decoder (``vgg16-fcn8s``), or one of them. Where
            others' weights fit several networks, the name of the one.
        decoder: The decoder that it is expected to have, such as ``fcn8s``.
        size: Default network size ``(height, width)``; the checkpoint's when left out. The file takes
            others too, unless it is made of an ONNX file of one size.
        classes: Other class names: a name of ``fcn_edge.artifacts.label_sets.LABEL_SETS``, such as ``cityscapes``, or a
            TOML, JSON or text file.
        mean: What the network was trained with, for networks of others: three numbers in its color order on the 0 to
            255 scale. Where every ``std`` is below 1, both are taken on the 0 to 1 scale.
        std: Standard deviations in the same way.
        color_order: Order of the channels that it was trained on. Where it is not the family's usual one, and mean or
            std are left out, each color keeps its own.
        output_name: Tensor of an ONNX file that holds the class scores; found when left out.
        head: ``scores`` ends at class scores at the decoder's stride, ``labels`` at a full-size mask.
        resize: How frames are brought to the network's size; as the checkpoint says when left out.
        weights: ``fp16`` halves the file; the graph computes in float32 all the same.
        name: What the model is called; as the checkpoint says when left out.
        images: Folder of images to compare both on, 8 of them at most; rendered street scenes when left out.
        tell: Called with a line before each long step.
        comparing: Called with images of the folder that were compared and images in all.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or of no family that is known.
        ModelError: The ONNX file is damaged, or gives no class scores of an image.
        UsageError: An argument does not fit the checkpoint, or the output may not be written.
        GuardError: File and checkpoint agree on too few pixels.
        DatasetError: The images cannot be read.
        MissingExtraError: torch or another package of the ``[export]`` extra is not installed.
    """
    with needed_for("An export"):
        from fcn_edge.export.importers.base import ImportOptions
        from fcn_edge.export.onnx import onnx_from_checkpoint

    means, deviations = _normalization(mean, std)
    options = ImportOptions(
        arch=arch,
        decoder=decoder,
        size=size,
        labels=None if classes is None else labels_from_text(str(classes)),
        mean=means,
        std=deviations,
        color_order=color_order,
        output_name=output_name,
    )
    return onnx_from_checkpoint(
        Path(checkpoint),
        Path(output),
        options=options,
        head=head,
        name=name,
        resize=resize,
        weights=weights,
        images=None if images is None else _compared(image_files(Path(images), MOST_COMPARED), comparing),
        tell=tell,
    )


def _compared(files: Sequence[Path], comparing: Callable[[int, int], None]) -> Iterator[Image]:
    for done, image in enumerate(images_of(files)):
        comparing(done, len(files))
        yield image
    comparing(len(files), len(files))


Triple = tuple[float, float, float]


def _normalization(mean: Sequence[float] | None, std: Sequence[float] | None) -> tuple[Triple | None, Triple | None]:
    """Mean and standard deviation on the 0 to 255 scale; a single number stands for all three channels."""
    triples: list[Triple | None] = []
    for what, numbers in (("mean", mean), ("std", std)):
        if numbers is None:
            triples.append(None)
            continue
        values = tuple(numbers) * 3 if len(numbers) == 1 else tuple(numbers)
        if len(values) != 3 or not all(map(math.isfinite, values)) or (what == "std" and min(values) <= 0):
            raise UsageError(
                f"{what} is {', '.join(map(str, numbers))}; three finite numbers were expected, and of std positive "
                "ones.",
                "Give one number a channel, such as 123.675,116.28,103.53 and 58.395,57.12,57.375.",
            )
        triples.append((values[0], values[1], values[2]))
    means, deviations = triples
    small = means is not None and 0 < max(map(abs, means)) <= 1
    if small and (deviations is None or max(deviations) >= 1):
        raise UsageError(
            "mean is one of colors of 0 to 1, and std is not.",
            "Give both on one scale: std with it, such as 0.229,0.224,0.225, or mean 255 times as large.",
        )
    if deviations is not None and max(deviations) < 1:
        # colors of 0 to 1 have deviations of about 0.2; on the 0 to 255 scale no network divides by less than one
        if means is not None and max(means) > 1:
            raise UsageError("std is one of colors of 0 to 1, and mean is not.", "Give both on one scale.")
        deviations = (255 * deviations[0], 255 * deviations[1], 255 * deviations[2])
        means = None if means is None else (255 * means[0], 255 * means[1], 255 * means[2])
    return means, deviations
