"""Images through the float network, once: the statistics of every activation, as a calibration table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from fcn_edge.artifacts.calibration_table import CalibratedImage, CalibrationTable, TensorRange
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.onnx_graph import check_size
from fcn_edge.artifacts.spec import Size, checked_size
from fcn_edge.backends.onnxruntime.library import errors_of
from fcn_edge.datasets.calibration import CalibrationSet
from fcn_edge.errors import DatasetError, ModelError
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.preprocess import network_input
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.histogram import Histogram
from fcn_edge.quantization.thresholds import clipping_of
from fcn_edge.quantization.typed_graph import source_model
from fcn_edge.version import __version__

__all__ = ["calibration_table", "ranges_of_images"]

Image = NDArray[np.uint8]

THREADS = 2
"""Threads of ONNX Runtime, whatever the machine has: how many add up a sum decides how it is rounded."""


def calibration_table(
    model: Model,
    images: CalibrationSet,
    *,
    size: Size | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CalibrationTable:
    """Calibrate a model: run every image through its float graph and record what its activations are.

    Only statistics are kept, so that the memory does not depend on the number of images. The same model, images, tools
    and number of threads give the same table, to the byte; the order of the images changes only the order in which the
    table lists them.

    Args:
        model: The ONNX file, fp32, of either head.
        images: What to run.
        size: ``(height, width)`` of the network's input; the model's default when left out.
        threads: Threads of ONNX Runtime; ``THREADS`` when left out.
        progress: Called with images done and images in all.

    Raises:
        ModelError: The file is damaged, was changed since it was opened, is not fp32, or gives NaN or infinity.
        DatasetError: An image cannot be read.
    """
    spec = model.spec
    size = checked_size(size or spec.size, spec.geometry.size_multiple)
    count = len(images.images)

    def counted() -> Iterator[Image]:
        for index, image in enumerate(images.images):
            yield image.read()
            if progress is not None:
                progress(index + 1, count)

    tensors = ranges_of_images(model, counted(), size=size, threads=threads)
    return CalibrationTable(
        model=spec.name,
        model_digest=model.digest,
        resize=spec.resize,
        normalization=spec.normalization,
        size=size,
        dataset=f"{images.name} {images.split}".rstrip(),
        rendered=images.rendered,
        chosen=images.chosen,
        missing_classes=images.missing_classes,
        images=tuple(CalibratedImage(name=image.name, sha256=image.sha256) for image in images.images),
        tensors=tensors,
        tools={"fcn_edge": __version__, "numpy": np.__version__, "onnxruntime": onnxruntime.__version__},
    )


def ranges_of_images(
    model: Model, images: Iterable[Image], *, size: Size | None = None, threads: int | None = None
) -> dict[str, TensorRange]:
    """The statistics of every activation of a float model, by name of the tensor.

    Args:
        model: The ONNX file.
        images: ``(H, W, 3)`` uint8 BGR, at least one.
        size: ``(height, width)`` of the network's input; the model's default when left out.
        threads: Threads of ONNX Runtime; ``THREADS`` when left out.

    Raises:
        ModelError: The file is damaged, was changed since it was opened, is not fp32, or gives NaN or infinity.
        DatasetError: There are no images.
    """
    spec = model.spec
    runner = _Runner(model, size or spec.size, threads or THREADS)
    statistics = {name: _Statistics() for name in runner.names}
    seen = False
    for image in images:
        seen = True
        for name, values in runner(image):
            if not np.isfinite(values).all():
                raise ModelError(
                    f"{spec.name} gives NaN or infinity at {name}.",
                    "Export its checkpoint again; if that gives NaN or infinity too, its training diverged.",
                )
            statistics[name].add(values, by_channel=name in runner.convolved)
    if not seen:
        raise DatasetError("There are no images to calibrate on.", "Give a folder with images.")
    return {name: each.range() for name, each in statistics.items()}


class _Statistics:
    """What is kept of one tensor."""

    def __init__(self) -> None:
        self.histogram = Histogram()
        self.mean_sum: NDArray[np.float64] | None = None
        self.images = 0

    def add(self, values: NDArray[np.float32], *, by_channel: bool) -> None:
        self.histogram.add(values)
        self.images += 1
        if by_channel:
            means = values.mean(axis=(0, 2, 3), dtype=np.float64)
            self.mean_sum = means if self.mean_sum is None else self.mean_sum + means

    def range(self) -> TensorRange:
        histogram = self.histogram
        percentile, entropy, mse = (clipping_of(histogram, method) for method in ("percentile", "entropy", "mse"))
        means = () if self.mean_sum is None else tuple(_short(value) for value in self.mean_sum / self.images)
        return TensorRange(
            low=_short(histogram.low),
            high=_short(histogram.high),
            rms=_short(histogram.rms()),
            zeros=round(histogram.zeros / histogram.total, 6),
            percentile=(_short(percentile.low), _short(percentile.high)),
            entropy=_short(entropy.amax),
            mse=(_short(mse.low), _short(mse.high)),
            mse_amax=_short(mse.amax),
            channel_means=means,
        )


class _Runner:
    """The float graph in ONNX Runtime, giving every activation of one image after the other."""

    def __init__(self, model: Model, size: Size, threads: int) -> None:
        check_size(model.path, model.graph, size)
        proto = source_model(model)
        view = GraphView(proto)
        self.names = view.activations()
        self.convolved = frozenset(conv.input for conv in view.convs)
        self._path, self._spec, self._size = model.path, model.spec, size
        del proto.graph.output[:]
        for name in self.names:
            proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what it would print, it raises
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # layouts are left alone: they would be changed back for every tensor that is looked at
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        with errors_of(model.path):
            self._session = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=False
            )

    def __call__(self, image: Image) -> Iterator[tuple[str, NDArray[np.float32]]]:
        place = placement((image.shape[0], image.shape[1]), self._size, self._spec.resize)
        fed = network_input(image, place, self._spec.fill_bgr)
        with errors_of(self._path):
            outputs = self._session.run(list(self.names), {"image": fed})
        yield from zip(self.names, outputs, strict=True)


def _short(value: float) -> float:
    """Seven significant digits: more would only record the rounding of float32."""
    return float(f"{value:.7g}")
