"""Networks that are ONNX files of other programs: run as they are, and cut at their class scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Normalization, Size
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_cut import cut_graph
from fcn_edge.export.importers.onnx_file import ForeignOnnx
from fcn_edge.export.importers.onnx_parts import keep_only
from fcn_edge.export.importers.onnx_tail import Tail
from fcn_edge.export.importers.onnx_weights import AGAIN
from fcn_edge.export.network import Image, TrainedNetwork
from fcn_edge.io.opencv import cv2

__all__ = ["ForeignSession", "OnnxNetwork", "Results"]


@dataclass(frozen=True)
class Results:
    """What a network gives for an image.

    Attributes:
        scores: ``(C, rows, columns)`` where the graph may be cut.
        upsampled: What its own upsampling makes of them, ``(C, H', W')``; the scores themselves where there is none.
        output: Its own output, as it is.
    """

    scores: NDArray[Any]
    upsampled: NDArray[Any]
    output: NDArray[Any]


class ForeignSession:
    """Another program's file in ONNX Runtime, unchanged but for what it gives besides.

    Args:
        file: The file.
        tail: Where its scores are.

    Raises:
        ModelError: It does not run there.
    """

    def __init__(self, file: ForeignOnnx, tail: Tail) -> None:
        self._file, self._tail = file, tail
        model = ModelProto()
        model.CopyFrom(file.model)
        del model.graph.output[:]
        self._names = list(dict.fromkeys((tail.scores, tail.upsampled, tail.output)))
        known = {value.name: value for value in file.model.graph.output}
        for name in self._names:
            model.graph.output.append(known.get(name) or ValueInfoProto(name=name))
        # what leads to other outputs would be computed, too
        keep_only(model.graph, set(self._names))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # other threads compute between the runs, and must not share the cores with threads that spin
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
        except Exception as error:
            raise ModelError(f"{file.path} does not run in ONNX Runtime.", AGAIN) from error

    def __call__(self, image: Image, normalization: Normalization) -> Results:
        """What the network gives.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            normalization: Its own.

        Raises:
            ModelError: It does not take images of that size.
        """
        given = self._file.image
        try:
            found = self._session.run(self._names, {given.name: _fed(image, normalization, self._file)})
        except Exception as error:
            raise ModelError(
                f"{self._file.path} does not take images of {image.shape[0]}x{image.shape[1]} in ONNX Runtime.",
                "Give a --size that it was made for.",
            ) from error
        by_name = dict(zip(self._names, found, strict=True))
        tail = self._tail
        return Results(
            _classes_first(by_name[tail.scores], tail.axis, self._file),
            _classes_first(by_name[tail.upsampled], tail.upsampled_axis, self._file),
            by_name[tail.output],
        )


class OnnxNetwork(TrainedNetwork):
    """A network that is another program's ONNX file.

    Args:
        spec: What it is.
        file: The file.
        tail: Where its scores are.
        session: The file, to be run.
        notes: What its user should know of the import.
        size: ``(height, width)`` of the only images that it takes; None where its sides are open.
    """

    def __init__(
        self,
        spec: ModelSpec,
        file: ForeignOnnx,
        tail: Tail,
        session: ForeignSession,
        notes: tuple[str, ...] = (),
        size: Size | None = None,
    ) -> None:
        self.spec = spec
        self.notes = notes
        self.only_size = size
        self._file, self._tail, self._session = file, tail, session

    @override
    def graph(self) -> ModelProto:
        return cut_graph(self._file, self._tail, self.spec, len(self.spec.classes), self.only_size)

    @override
    def scores(self, image: Image) -> NDArray[np.float32]:
        return self.scores_and_labels(image)[0]

    @override
    def labels(self, image: Image) -> NDArray[np.uint8]:
        return self.scores_and_labels(image)[1]

    @override
    def scores_and_labels(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        results = self._session(image, self.spec.normalization)
        return np.asarray(results.scores, np.float32), self._mask(results, (image.shape[0], image.shape[1]))

    def _mask(self, results: Results, size: Size) -> NDArray[np.uint8]:
        if self._tail.masks and results.output.size == size[0] * size[1]:
            return np.asarray(results.output.reshape(size), np.uint8)
        full = results.upsampled
        if full.shape[1:] != size:
            full = np.stack([cv2().resize(scores.astype(np.float32), size[::-1]) for scores in full])
        return np.asarray(full.argmax(0), np.uint8)


def _fed(image: Image, normalization: Normalization, file: ForeignOnnx) -> NDArray[Any]:
    """An image as a network's own program prepares it."""
    pixels: NDArray[Any] = image if normalization.color_order == "bgr" else image[:, :, ::-1]
    if file.image.element == TensorProto.FLOAT:
        mean, std = (np.array(each, np.float32) for each in (normalization.mean, normalization.std))
        pixels = (pixels.astype(np.float32) - mean) / std
    if file.image.layout == "nchw":
        pixels = pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(pixels[None])


def _classes_first(scores: NDArray[Any], axis: int, file: ForeignOnnx) -> NDArray[Any]:
    """``(C, rows, columns)`` of ``(1, C, rows, columns)`` or ``(1, rows, columns, C)``."""
    if scores.ndim != 4 or scores.shape[0] != 1 or scores.dtype.kind != "f":
        shape = "x".join(map(str, scores.shape))
        raise ModelError(
            f"{file.path} gives {shape} {scores.dtype} values where class scores (1xCxROWSxCOLUMNS) were expected.",
            "Name the tensor of the scores with --output-name.",
        )
    (one,) = scores
    return np.asarray(one) if axis == 1 else np.moveaxis(one, 2, 0)
