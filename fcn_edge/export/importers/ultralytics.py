"""Semantic segmentation networks of Ultralytics (YOLO26-sem), as ``yolo export format=onnx`` writes them.

The file's metadata say what it is: ``task`` is ``semantic``, ``names`` a Python dictionary of class names by id,
``imgsz`` and ``stride`` its size and what that is a multiple of. Frames are letterboxed: scaled to fit, centered, and
surrounded by gray 114; pixels are RGB, divided by 255. Of a file that takes any size, its predict takes the smallest
multiple of the stride that a frame fits into; here the size is said once, by ``--size`` or ``load(size=...)``. Its
predict enlarges a finished mask by nearest neighbor; masks are sampled from the scores here.

Read in ultralytics 8.4.190: ``engine/exporter.py``, ``nn/modules/head.py`` (``SemanticSegment``), ``data/augment.py``
(``LetterBox``), ``engine/predictor.py``.
"""

from __future__ import annotations

import ast
import re

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.spec import Normalization, Resize
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_facts import OnnxFacts, label_set
from fcn_edge.export.importers.onnx_file import ForeignOnnx

__all__ = ["ultralytics_facts"]

NORMALIZATION = Normalization(color_order="rgb", mean=(0, 0, 0), std=(255, 255, 255))
LETTERBOX = Resize(policy="pad", anchor="center", fill=(114, 114, 114))
STRIDE = 32
"""Where the file does not say: that of its deepest layers."""

LONGEST_TEXT = 1 << 16
LARGEST_SIDE = 1 << 14
LARGEST_STRIDE = 256
LARGEST_NUMBER = 1_000_000
"""Of a class whose name is a number."""


def ultralytics_facts(file: ForeignOnnx) -> OnnxFacts | None:
    """What is known of a network of Ultralytics; None when it is none.

    Raises:
        ModelError: It is one for another task, or its metadata make no sense.
    """
    said = file.metadata
    if said.get("author") != "Ultralytics" or "task" not in said:
        return None
    if said["task"] != "semantic":
        raise ModelError(
            f"{file.path} is an Ultralytics network for the task {shown(said['task'])}; semantic segmentation was "
            "expected.",
            "Give one such as yolo26n-sem: yolo export model=yolo26n-sem.pt format=onnx",
        )
    found = re.match(r"Ultralytics (\S{1,60}) model", said.get("description", ""))
    name = shown(found.group(1)).lower() if found else "yolo-sem"
    stride, size = _literal(said.get("stride", str(STRIDE))), _literal(said.get("imgsz", "[640, 640]"))
    if not isinstance(stride, int) or not _is_side(stride) or stride > LARGEST_STRIDE:
        raise _senseless(file, "stride")
    if not isinstance(size, list) or len(size) != 2 or not all(map(_is_side, size)):
        raise _senseless(file, "imgsz")
    return OnnxFacts(
        name=name,
        family="ultralytics",
        encoder=name.removesuffix("-sem") or "yolo",
        decoder="sem",
        normalization=NORMALIZATION,
        size=(size[0], size[1]),
        multiple=stride,
        resize=LETTERBOX,
        labels=(label_set(name, _names(file), tuple(LABEL_SETS.values())),),
    )


def _names(file: ForeignOnnx) -> tuple[str, ...]:
    """Class names by id, of text such as ``{0: 'road', 1: 'sidewalk'}``."""
    names = _literal(file.metadata.get("names", ""))
    if not isinstance(names, dict) or set(names) != set(range(len(names))) or not all(map(_is_name, names.values())):
        raise _senseless(file, "names")
    return tuple(str(names[index]) for index in range(len(names)))


def _literal(text: str) -> object:
    """The value of a Python literal; None when the text is none. Nothing is run."""
    if len(text) > LONGEST_TEXT:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) or (type(value) is int and abs(value) < LARGEST_NUMBER)


def _is_side(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_SIDE


def _senseless(file: ForeignOnnx, key: str) -> ModelError:
    return ModelError(
        f"{file.path} has Ultralytics' metadata, and {key} in it makes no sense.",
        "Export it again: yolo export model=FILE.pt format=onnx",
    )
