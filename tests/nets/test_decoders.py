from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.errors import UsageError
from fcn_edge.nets.decoders import Decoder, decoder

CHANNELS = (5, 7, 11)


def features(height: int = 2, width: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = zip(CHANNELS, (4, 2, 1), strict=True)
    stride8, stride16, stride32 = (
        torch.randn(1, channels, factor * height, factor * width, generator=generator) for channels, factor in sizes
    )
    return stride8, stride16, stride32


def randomized(name: str, classes: int = 4) -> Decoder:
    torch.manual_seed(0)
    net = decoder(name, CHANNELS, classes)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net.eval()


def score(net: Decoder, stride: int, maps: Tensor) -> np.ndarray:
    layer = net.get_submodule(f"score{stride}")
    weight, bias = layer.weight.detach().double().numpy()[:, :, 0, 0], layer.bias.detach().double().numpy()
    return np.einsum("kc,chw->khw", weight, maps[0].double().numpy()) + bias[:, None, None]


def doubled(scores: np.ndarray) -> np.ndarray:
    """Bilinear x2 on pixel centers: quarters of the neighbors, edges repeated."""
    for axis in (1, 2):
        length = scores.shape[axis]
        before = np.take(scores, np.maximum(np.arange(length) - 1, 0), axis)
        after = np.take(scores, np.minimum(np.arange(length) + 1, length - 1), axis)
        pair = np.stack([0.75 * scores + 0.25 * before, 0.75 * scores + 0.25 * after], axis + 1)
        shape = list(scores.shape)
        shape[axis] *= 2
        scores = pair.reshape(shape)
    return scores


@torch.inference_mode()
@pytest.mark.parametrize("name", DECODER_STRIDES)
def test_scores_are_those_of_the_paper(name: str) -> None:
    net, (stride8, stride16, stride32) = randomized(name), features()
    expected = score(net, 32, stride32)
    if net.stride <= 16:
        expected = doubled(expected) + score(net, 16, stride16)
    if net.stride <= 8:
        expected = doubled(expected) + score(net, 8, stride8)
    np.testing.assert_allclose(net(stride8, stride16, stride32)[0].numpy(), expected, rtol=0, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("name", "coarser"), [("fcn16s", "fcn32s"), ("fcn8s", "fcn16s")])
def test_a_fresh_skip_changes_nothing(name: str, coarser: str) -> None:
    coarse, fine = randomized(coarser), decoder(name, CHANNELS, 4)
    fine.load_state_dict(coarse.state_dict(), strict=False)
    expected = doubled(coarse(*features())[0].double().numpy())
    np.testing.assert_allclose(fine(*features())[0].numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", DECODER_STRIDES)
def test_only_the_needed_score_layers_are_there_and_learn(name: str) -> None:
    net = decoder(name, CHANNELS, 4)
    wanted = {f"score{stride}" for stride in (8, 16, 32) if stride >= DECODER_STRIDES[name]}
    assert {key.split(".")[0] for key in net.state_dict()} == wanted
    net(*features()).square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no decoder named 'fcn4s'") as caught:
        decoder("fcn4s", CHANNELS, 4)
    assert "fcn32s, fcn16s, fcn8s" in caught.value.fix
