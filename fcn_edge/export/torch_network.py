"""A network in torch as an export takes it: our own, and those that importers rebuild."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.errors import UsageError
from fcn_edge.export.crops import open_crops
from fcn_edge.export.folding import DeployedNetwork
from fcn_edge.export.network import Image, TrainedNetwork
from fcn_edge.export.rewrite import open_size, require_operators, tidy
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize

__all__ = ["OPSET", "SingleDecoder", "TorchNetwork", "bilinear_to_size", "own_network"]

OPSET = 20
IR_VERSION = 9
"""ONNX file version that goes with the opset."""

OPERATORS = frozenset(
    "Add ArgMax Cast Clip Concat Conv ConvTranspose MaxPool Mul Pad Relu Resize Slice Squeeze Sub Transpose "  # noqa: SIM905
    "Unsqueeze".split()
)
"""What an exported graph may hold; none of them depends on the image size but Slice, which ``open_crops`` frees."""

TRACED_SIZE = (96, 128)

Upsampling = Callable[[Tensor, Size], Tensor]
"""``(N, C, rows, columns)`` float32 scores to ``(N, C, *size)``."""


def bilinear_to_size(scores: Tensor, size: Size) -> Tensor:
    """The last layer of most networks: bilinear interpolation to the input's size (``align_corners=False``)."""
    return functional.interpolate(scores, size=size, mode="bilinear", align_corners=False)


class TorchNetwork(TrainedNetwork):
    """A network in torch that takes normalized images and gives class scores.

    Args:
        spec: What it is.
        net: Takes ``(N, 3, H, W)`` float32, normalized, in the spec's color order, and gives ``(N, classes,
            *spec.grid_size((H, W)))`` float32 in evaluation mode. Modules are defined in the order that they run in,
            each BatchNorm after its convolution; crops to another tensor's size are slices that are added to it.
        upsampling: The authors' own last layers, which ``decode`` stands for.
        notes: What its user should know of the import.
    """

    tools = ("onnx", "onnxscript", "torch")

    def __init__(
        self,
        spec: ModelSpec,
        net: nn.Module,
        upsampling: Upsampling = bilinear_to_size,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.spec = spec
        self.notes = notes
        self._net = net.eval().requires_grad_(False)
        self._upsampling = upsampling

    @override
    def graph(self) -> ModelProto:
        deployed = DeployedNetwork(self._net, self.spec.normalization)
        model = _traced(deployed)
        model.ir_version = IR_VERSION
        require_operators(model, OPERATORS)
        tidy(model, deployed.state_dict().keys())
        open_crops(model)
        open_size(model, self.spec)
        return model

    @override
    @torch.inference_mode()
    def scores(self, image: Image) -> NDArray[np.float32]:
        return self._scores(image)[0].numpy()

    @override
    def labels(self, image: Image) -> NDArray[np.uint8]:
        return self.scores_and_labels(image)[1]

    @override
    @torch.inference_mode()
    def scores_and_labels(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        scores = self._scores(image)
        full = self._upsampling(scores, (image.shape[0], image.shape[1]))
        return scores[0].numpy(), full[0].argmax(0).to(torch.uint8).numpy()

    def _scores(self, image: Image) -> Tensor:
        scores: Tensor = self._net(Normalize(self.spec.normalization)(torch.from_numpy(image)[None]))
        return scores


class SingleDecoder(nn.Module):
    """One encoder and one decoder of ours in a row.

    Args:
        net: The network; its layers are shared, not copied.
        decoder_name: Which of its decoders to take.

    Raises:
        UsageError: The network has no such decoder.
    """

    def __init__(self, net: FCN, decoder_name: str) -> None:
        super().__init__()
        one = net.single(decoder_name)
        self.encoder = one.encoder
        self.decoder = one.decoders[decoder_name]

    def forward(self, image: Tensor) -> Tensor:
        """Class scores ``(N, classes, H / stride, W / stride)`` of a normalized ``(N, 3, H, W)`` image."""
        scores: Tensor = self.decoder(*self.encoder(image))
        return scores


def own_network(net: FCN, spec: ModelSpec) -> TorchNetwork:
    """A network of ours, with at least the decoder of the spec.

    Raises:
        UsageError: The network is not what the spec says.
    """
    if net.encoder_name != spec.encoder or net.classes != len(spec.classes):
        raise UsageError(
            f"The network is {net.encoder_name} with {net.classes} classes; the spec says {spec.encoder} with "
            f"{len(spec.classes)}.",
            "Give the spec of this network.",
        )
    return TorchNetwork(spec, SingleDecoder(net, spec.decoder))


def _traced(net: DeployedNetwork, dynamic_shapes: dict[str, dict[int, torch.export.Dim]] | None = None) -> ModelProto:
    """What PyTorch's exporter makes of a network at ``TRACED_SIZE``.

    The sizes are declared open afterwards: the graph is the same as with ``dynamic_shapes``, and made in a quarter of
    the time.
    """
    with _quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            net,
            (torch.zeros((*TRACED_SIZE, 3), dtype=torch.uint8),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["scores"],
            dynamic_shapes=dynamic_shapes,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep PyTorch's notes to its own developers from the user's terminal."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
