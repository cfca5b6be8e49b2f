"""Validation during training: the same preprocessing, decode and measures as ``fcn-edge evaluate``, run in torch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.datasets import LabeledSample
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.preprocess import network_input

__all__ = ["confusion_of"]


@torch.inference_mode()
def confusion_of(
    net: FCN, normalize: Normalize, spec: ModelSpec, samples: Iterable[LabeledSample]
) -> dict[str, ConfusionMatrix]:
    """Confusion matrix of every decoder of a network over samples, on full frames.

    Args:
        net: The network, in evaluation mode.
        normalize: What the images go through first.
        spec: Size, resize policy and void; its decoder is not looked at.
        samples: Images with labels.

    Returns:
        A matrix by decoder name.
    """
    matrices = {name: ConfusionMatrix(len(spec.classes)) for name in net.decoder_names}
    for sample in samples:
        image, labels = sample.pair()
        place = placement((image.shape[0], image.shape[1]), spec.size, spec.resize)
        tensor = torch.from_numpy(network_input(image, place, spec.fill_bgr))[None]
        scores: dict[str, Tensor] = net(normalize(tensor).contiguous(memory_format=torch.channels_last))
        for name, matrix in matrices.items():
            mask = decode(scores[name][0].contiguous().numpy(), place.mapping(net.stride(name)), spec.void)
            matrix.update(labels, mask)
    return matrices
