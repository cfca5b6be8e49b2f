"""What rows are called: their parts as people write them, and the shortest names that tell them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.result import BenchResult, Row

__all__ = [
    "NO_SUITE",
    "backend_name",
    "comparable",
    "data_of",
    "decoder_name",
    "encoder_name",
    "frames_name",
    "images_of",
    "measured",
    "on_processor",
    "precision_name",
    "short_names",
    "size_name",
    "title_of",
    "variant_name",
]

NO_SUITE = "models"
"""The suite of a run of models that somebody named."""

MOST_NAMED = 3
"""Models that fit into a title."""

RENDERED = re.compile(r"synthetic://(\w+)[^\s,]*")

DECODERS = {"fcn32s": "FCN-32s", "fcn16s": "FCN-16s", "fcn8s": "FCN-8s"}
ENCODERS = {"mobilenet_v2": "MobileNetV2", "resnet50": "ResNet-50", "vgg16": "VGG-16"}
BACKEND_NAMES = {
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT-RTX",
}


def decoder_name(name: str) -> str:
    """A decoder as the literature writes it, such as ``FCN-8s``."""
    return DECODERS.get(name, name)


def encoder_name(name: str) -> str:
    """An encoder as the literature writes it, such as ``ResNet-50``."""
    return ENCODERS.get(name, name)


def backend_name(name: str) -> str:
    """A backend as its makers write it, such as ``ONNX Runtime``."""
    return BACKEND_NAMES.get(name, name)


def precision_name(name: str) -> str:
    """A precision, such as ``INT8``."""
    return name.upper()


def size_name(size: Sequence[int]) -> str:
    """A size as height and width, as ``--size`` takes it: ``512x1024``."""
    return f"{size[0]}x{size[1]}"


def variant_name(row: Row) -> str:
    """What tells the rows of one model apart: decoder, precision, size and backend."""
    return " ".join(filter(None, _parts(row)[1:]))


def images_of(accuracy: AccuracyRecord) -> str:
    """The images on which an accuracy was measured, whether they were rendered, and how many classes they show if few.

    Of images that show every class nothing is said of that.
    """
    shown = f", which show {accuracy.classes_present} of {len(accuracy.per_class)} classes" if accuracy.over else ""
    images = "image" if accuracy.images == 1 else "images"
    if accuracy.rendered:
        return f"{accuracy.images} rendered {images} ({accuracy.dataset}, {accuracy.split}){shown}"
    return f"{accuracy.images} {images} of {accuracy.dataset} {accuracy.split}{shown}"


def data_of(row: Row) -> tuple[str, str, int, bool, int] | None:
    """What a row was scored on: mIoU of other images or over fewer classes does not compare. None where it was not."""
    scored = row.accuracy
    return (scored.dataset, scored.split, scored.images, scored.rendered, scored.classes_present) if scored else None


def frames_name(frames: str) -> str:
    """What the frames of a run were; of rendered scenes their kind in place of the address."""
    return RENDERED.sub(r"rendered \1", frames)


def title_of(result: BenchResult) -> str:
    """What a run is called; one of models that were named without a suite, by them."""
    if result.title or result.suite != NO_SUITE:
        return result.title or result.suite
    models = list(dict.fromkeys(row.model for row in result.rows))
    return ", ".join(models) if len(models) <= MOST_NAMED else f"{len(models)} models"


def measured(rows: Iterable[Row], ends: str = "mask") -> list[Row]:
    """Rows with times that end alike, in their order."""
    return [row for row in rows if row.end_to_end_ms is not None and row.ends == ends]


def comparable(rows: Iterable[Row]) -> list[Row]:
    """Rows whose masks and times may be compared: measured in this run, steady, frame to mask, in their order."""
    return [row for row in measured(rows) if row.state == "measured" and not row.unstable]


def on_processor(rows: Iterable[Row]) -> bool:
    """Some row was measured on a backend for processors, which the number of threads is of."""
    backends = {row.backend for row in rows if row.state == "measured"}
    return any(name in BACKENDS and BACKENDS[name].device == "cpu" for name in backends)


def short_names(rows: Sequence[Row]) -> dict[str, str]:
    """A short name of each row by its full one: what rows have in common is left out of it.

    Where the short names of two rows are equal, such as those of two models of one encoder and decoder, the names of
    the models take the place of both.
    """
    for parts in (_parts, _parts_with_model):
        columns = list(zip(*(parts(row) for row in rows), strict=True))
        varied = [index for index, values in enumerate(columns) if len(set(values)) > 1] or [1]
        names = {row.name: " ".join(filter(None, (parts(row)[index] for index in varied))) for row in rows}
        if len(set(names.values())) == len(rows):
            return names
    return {row.name: row.name for row in rows}


def _parts(row: Row) -> tuple[str, ...]:
    return (
        encoder_name(row.encoder),
        decoder_name(row.decoder) or row.model,
        precision_name(row.precision),
        size_name(row.size),
        backend_name(row.backend),
    )


def _parts_with_model(row: Row) -> tuple[str, ...]:
    return (row.device, row.model, *_parts(row)[2:], "scores only" if row.ends == "scores" else "")
