"""Does an exported model do what the trained network does? Both run on the same images.

Scores are compared where the exported graph ends, and masks at the network's size: ours against those of the network's
own last layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import ModelSpec, Resize, Size
from fcn_edge.errors import CheckpointError, DatasetError, GuardError
from fcn_edge.export.network import Image, TrainedNetwork
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.preprocess import network_input

__all__ = ["LEAST_AGREEMENT", "Parity", "parity_of_onnx"]

LEAST_AGREEMENT = 0.999
"""Share of pixels on which an exported model and its network must give the same label."""


@dataclass(frozen=True)
class Parity:
    """How well an ONNX file and the network that it was exported from agree.

    Attributes:
        max_abs_diff: Largest absolute difference of two scores, at the decoder's stride.
        label_agreement: Share of the network's pixels with the same label, among those that show the frame.
        images: On how many images.
        classes: Ids of the classes in the network's masks; where there is one only, agreement says little.
        score_range: Largest score of the network less its smallest, over all images.
    """

    max_abs_diff: float
    label_agreement: float
    images: int
    classes: tuple[int, ...]
    score_range: float = 0.0

    def require(self) -> None:
        """Check that the two agree.

        Raises:
            GuardError: They differ on more pixels than ``LEAST_AGREEMENT`` allows.
        """
        if self.label_agreement < LEAST_AGREEMENT:
            raise GuardError(
                f"The ONNX file and the checkpoint agree on {self.label_agreement:.3%} of the pixels of {self.images} "
                f"images (largest difference of scores {self.max_abs_diff:.3g}); {LEAST_AGREEMENT:.1%} was expected.",
                "Give images like those of training; where the weights were stored as fp16, keep fp32.",
            )


def parity_of_onnx(
    model: Path | Model, network: TrainedNetwork, images: Iterable[Image], *, size: Size | None = None
) -> Parity:
    """Run an exported file in ONNX Runtime and its network in its own library.

    Args:
        model: The ONNX file, or such a model that is open already.
        network: The network that it was exported from.
        images: ``(H, W, 3)`` uint8 BGR, of any size, at least one.
        size: Network size ``(height, width)``; the file's own when left out.

    Raises:
        CheckpointError: The network gives NaN or infinity.
        GuardError: Only the exported file does.
        DatasetError: There are no images.
        ModelError: The file is damaged, or was changed since it was opened.
    """
    found = resolved_model(model)
    spec = found.spec
    run = _Runner(found)
    worst, same, pixels, count = 0.0, 0, 0, 0
    low, high = np.inf, -np.inf
    classes: set[int] = set()
    for image in images:
        place = placement((image.shape[0], image.shape[1]), size or spec.size, spec.resize)
        fed = network_input(image, place, spec.fill_bgr)
        expected, mask = network.scores_and_labels(fed)
        if not np.isfinite(expected).all():
            raise CheckpointError(
                "The network of the checkpoint gives NaN or infinity.",
                "Download or save it again; if its training diverged, give a checkpoint from before that, or train it "
                "again with a lower learning rate.",
            )
        scores, output = run(fed)
        if not np.isfinite(scores).all():
            raise GuardError("The exported model gives NaN or infinity, and its checkpoint does not.", "Report this.")
        worst = max(worst, float(np.abs(scores - expected).max()))
        low, high = min(low, float(expected.min())), max(high, float(expected.max()))
        wanted, got = mask[place.content], _mask(output, spec, place.network_size)[place.content]
        same, pixels = same + int(np.count_nonzero(wanted == got)), pixels + wanted.size
        classes.update(np.unique(wanted).tolist())
        count += 1
    if not count:
        raise DatasetError("There are no images to compare the ONNX file and the checkpoint on.", "Give some.")
    return Parity(worst, same / pixels, count, tuple(sorted(classes)), high - low)


class _Runner:
    """An ONNX file in ONNX Runtime, giving its output and, whatever its head, the scores."""

    def __init__(self, found: Model) -> None:
        options = onnxruntime.SessionOptions()
        # torch's threads compute between the runs, and must not share the cores with threads that spin
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        with found.opened() as file:
            model = file.read()
        self._outputs: list[str] = [found.spec.head]
        if found.spec.head == "labels":
            proto = onnx.load_model_from_string(model)
            self._outputs.append(_scores_as_output(proto))
            model = proto.SerializeToString()
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
        except Exception as error:  # ONNX Runtime's own have no base class in common
            raise _does_not_run() from error

    def __call__(self, image: Image) -> tuple[NDArray[np.float32], NDArray[Any]]:
        try:
            outputs = self._session.run(self._outputs, {"image": image})
        except Exception as error:
            raise _does_not_run() from error
        scores = outputs[-1]
        return scores.reshape(scores.shape[-3:]), outputs[0]


def _does_not_run() -> GuardError:
    return GuardError(
        "The exported model does not run in ONNX Runtime at its size, and its checkpoint does.",
        "Give a --size like that of its training; it may need more memory than there is.",
    )


def _scores_as_output(model: ModelProto) -> str:
    """Let a graph that ends in labels give its scores too; returns their name."""
    name: str = next(node.input[0] for node in reversed(model.graph.node) if node.op_type == "Resize")
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return name


def _mask(output: NDArray[Any], spec: ModelSpec, size: Size) -> NDArray[np.uint8]:
    """The mask of a graph's output, at the network's size."""
    if spec.head == "labels":
        return np.asarray(output, np.uint8)
    return decode(
        output, placement(size, size, Resize(policy="stretch")).mapping(spec.stride, spec.geometry), spec.void
    )
