"""Networks with random weights whose masks hold many classes and depend on every layer.

Importing this needs neither torch nor onnx; making a network does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec, Normalization

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fcn_edge.export.torch_network import TorchNetwork
    from fcn_edge.nets.fcn import FCN

SMALL = "mobilenet_v2-fcn8s"
ENCODERS = ("vgg16", "resnet50", "mobilenet_v2")
"""All that there are; their own table cannot be read without torch."""
ALL_NETS = [f"{encoder}-{decoder}" for encoder in ENCODERS for decoder in DECODER_STRIDES]

QUICK_NETS = [name for name in ALL_NETS if name.endswith("fcn8s") or name.startswith("mobilenet_v2")]
"""Each encoder and each decoder, which are put together by the same few lines."""

an_encoder_each = pytest.mark.parametrize(
    "exported",
    # all nine stay in the list, so that pytest runs tests of one network after the other and exports it once
    [pytest.param(name, marks=() if name.endswith("fcn8s") else pytest.mark.slow) for name in ALL_NETS],
    indirect=True,
)
"""Lets a test run on one network of each encoder, and on the other six in the slow tests."""

CLASSES = 7
NORMALIZATION = Normalization()


@dataclass(frozen=True)
class Exported:
    """A network, its spec and its ONNX file."""

    net: FCN
    spec: ModelSpec
    path: Path

    @property
    def network(self) -> TorchNetwork:
        """The network as an export takes it."""
        from fcn_edge.export.torch_network import own_network

        return own_network(self.net, self.spec)

    @property
    def model(self) -> Model:
        """The file, opened anew."""
        return resolved_model(self.path)


def spec_of(encoder: str, decoder: str, **changes: object) -> ModelSpec:
    """A spec for a network of ``random_net``."""
    fields = {
        "name": f"random-{encoder}-{decoder}",
        "encoder": encoder,
        "decoder": decoder,
        "stride": DECODER_STRIDES.get(decoder),
        "classes": [f"class {index}" for index in range(CLASSES)],
        "palette": [(index, 0, 0) for index in range(CLASSES)],
        "size": (96, 160),
    }
    return ModelSpec.model_validate({**fields, **changes})


def random_net(
    encoder: str,
    decoders: Sequence[str],
    images: Sequence[NDArray[np.uint8]],
    *,
    normalization: Normalization = NORMALIZATION,
    full_width: bool = False,
) -> FCN:
    """A network with random weights and BatchNorm statistics, in evaluation mode.

    Args:
        encoder: Its encoder.
        decoders: Its decoders.
        images: ``(H, W, 3)`` uint8 BGR, one size of multiples of 32. On these, each score layer of each decoder gives
            each class zero mean and unit variance, so that no class and no skip decides alone.
        normalization: What the images go through.
        full_width: VGG-16 and ResNet-50 as they are, and not as in ``thin_encoders``. MobileNetV2 is always as it is,
            so that its checkpoint is one.
    """
    import torch

    from fcn_edge.nets.encoders import ENCODERS
    from fcn_edge.nets.fcn import FCN

    from .thin_encoders import THIN

    with torch.no_grad(), pytest.MonkeyPatch.context() as monkeypatch:
        if not full_width:
            monkeypatch.setitem(ENCODERS, encoder, THIN.get(encoder, ENCODERS[encoder]))
        torch.manual_seed(0)
        net = FCN(encoder, decoders, CLASSES).eval()
        _randomize(net.encoder)
        _standardize(net, images, normalization)
    return net


def _randomize(encoder: nn.Module) -> None:
    from torch import nn

    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            # the last BatchNorm of a residual branch is small, so that dozens of sums stay in range
            gain = 0.4 if name.endswith(("bn3", "conv.3")) else 1.0
            nn.init.uniform_(module.weight, 0.7 * gain, 1.3 * gain)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)


def _standardize(net: FCN, images: Sequence[NDArray[np.uint8]], normalization: Normalization) -> None:
    import torch

    from fcn_edge.nets.decoders import Decoder
    from fcn_edge.nets.normalize import Normalize

    batch = Normalize(normalization)(torch.from_numpy(np.stack(images)))
    stride8, stride16, stride32 = net.encoder(batch)
    for head in net.decoders.values():
        assert isinstance(head, Decoder)
        for layer, features in ((head.score32, stride32), (head.score16, stride16), (head.score8, stride8)):
            if layer is not None:
                _standardize_scores(layer, features)


def _standardize_scores(score: nn.Conv2d, features: Tensor) -> None:
    from torch import nn

    nn.init.normal_(score.weight)
    score.bias.zero_()
    scores = score(features)
    mean, std = scores.mean((0, 2, 3)), scores.std((0, 2, 3))
    score.weight /= std.view(-1, 1, 1, 1)
    score.bias -= mean / std


def exported_net(net: FCN, arch: str, directory: Path) -> Exported:
    """Export a network of ``random_net`` with one decoder; ``arch`` is such as ``vgg16-fcn8s``."""
    import onnx

    from fcn_edge.export.onnx import onnx_from_network
    from fcn_edge.export.torch_network import own_network

    spec = spec_of(*arch.split("-"))
    path = directory / f"{arch}.onnx"
    onnx.save_model(onnx_from_network(own_network(net, spec)), path)
    return Exported(net, spec, path)


def convolutions(net: FCN, decoder: str) -> dict[str, nn.Conv2d]:
    """The convolutions of a network with one decoder, by the names that they have in its exported graph."""
    from torch import nn

    return {
        name.replace(f"decoders.{decoder}", "decoder"): module
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d)
    }


def macs_of(exported: Exported, size: tuple[int, int]) -> dict[str, int]:
    """Multiply-accumulates of each convolution, counted while torch runs an image of a size."""
    import torch

    counts = {}
    hooks = []
    for name, layer in convolutions(exported.net, exported.spec.decoder).items():

        def count(layer: nn.Conv2d, _: object, output: Tensor, name: str = name) -> None:
            height, width = layer.kernel_size
            counts[name] = output.numel() * layer.in_channels // layer.groups * height * width

        hooks.append(layer.register_forward_hook(count))
    with torch.no_grad():
        exported.net(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    return counts
