"""Networks of jetson-inference's ``segNet``, as dusty-nv's pytorch-segmentation exports them: ``fcn_resnet18.onnx``.

Input ``input_0``, output ``output_0``: raw class scores at the backbone's stride, 32 for ResNet-18 and -34. Frames are
stretched to the network's size; pixels are RGB, divided by 255 and normalized as ImageNet's. ``classes.txt`` (one name
a line) and ``colors.txt`` (red, green, blue and maybe alpha a line) lie beside the file. There are 21 scores, whatever
the number of names: ``train.py`` makes no other networks. Read in
pytorch-segmentation's ``scripts/onnx_export.py`` and jetson-inference's ``c/segNet.cpp``, ``c/tensorConvert.cu``.

``segNet`` takes the class of each cell, in blocks of 32 pixels; the masks made here are of the same scores, sampled
bilinearly at each pixel.
"""

from __future__ import annotations

from pathlib import Path

from fcn_edge.artifacts.label_sets import LABEL_SETS, LabelSet
from fcn_edge.artifacts.spec import Normalization, Resize
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_facts import OnnxFacts, label_set
from fcn_edge.export.importers.onnx_file import ForeignOnnx

__all__ = ["jetson_inference_facts"]

CLASSES, COLORS = "classes.txt", "colors.txt"
LARGEST_FILE = 1 << 16

RESNETS = {20: "resnet18", 36: "resnet34", 53: "resnet50", 104: "resnet101"}
"""By the number of convolutions, shortcuts included."""

HEAD = 2
"""Convolutions of the head."""

CONVOLUTIONAL = frozenset("Add BatchNormalization Constant Conv Identity MaxPool Relu".split())  # noqa: SIM905


def jetson_inference_facts(file: ForeignOnnx) -> OnnxFacts | None:
    """What is known of a network of jetson-inference; None when it is none.

    Raises:
        ModelError: A file beside it cannot be read.
    """
    nodes = file.model.graph.node
    if (file.image.name, *file.outputs) != ("input_0", "output_0") or {each.op_type for each in nodes} - CONVOLUTIONAL:
        return None
    encoder = RESNETS.get(sum(node.op_type == "Conv" for node in nodes) - HEAD, "resnet")
    names = _lines(file.path.with_name(CLASSES))
    labels: tuple[LabelSet, ...] = ()
    if names:
        colors = tuple(color for line in _lines(file.path.with_name(COLORS)) if (color := _color(line)) is not None)
        labels = (label_set(CLASSES, tuple(names), tuple(LABEL_SETS.values()), colors),)
    return OnnxFacts(
        name=file.path.stem,
        family="jetson-inference",
        encoder=encoder,
        decoder="fcn",
        normalization=Normalization(),
        resize=Resize(policy="stretch"),
        labels=labels,
        spare=True,
        nameless=f"No {CLASSES} with the names of its classes is beside it: they have numbers. Give --classes.",
        notes=("segNet gives blocks of one class a score cell; masks of the same scores are finer here.",),
    )


def _lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty; none where there is no such file."""
    if not path.is_file():
        return []
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read as text.", "Correct it, or move it away.") from error
    return [line.strip() for line in text[:LARGEST_FILE].splitlines() if line.strip()]


def _color(line: str) -> tuple[int, int, int] | None:
    parts = line.split()
    if not 3 <= len(parts) <= 4 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        return None
    red, green, blue = (min(int(part), 255) for part in parts[:3])
    return red, green, blue
