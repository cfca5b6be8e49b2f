from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from fcn_edge.nets.fcn import FCN
from fcn_edge.training.mixed_precision import MixedPrecision


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def net_of() -> FCN:
    torch.manual_seed(1)
    return FCN("mobilenet_v2", ("fcn32s", "fcn8s"), 5)


def test_scores_weights_and_gradients_are_float32(images: torch.Tensor) -> None:
    net = net_of()
    scores = MixedPrecision(net, enabled=True).scores(net, images)
    assert {name: score.dtype for name, score in scores.items()} == dict.fromkeys(scores, torch.float32)
    torch.stack([score.square().mean() for score in scores.values()]).sum().backward()
    for parameter in net.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all()


def test_bfloat16_is_near_float32_and_is_not_it(images: torch.Tensor) -> None:
    net = net_of().eval()
    with torch.no_grad():
        exact = net(images)["fcn32s"]
        near = MixedPrecision(net, enabled=True).scores(net, images)["fcn32s"]
        same = MixedPrecision(net_of().eval(), enabled=False).scores(net, images)["fcn32s"]
    assert torch.equal(same, exact)
    error = float((near - exact).abs().max() / exact.abs().max())
    assert 1e-4 < error < 0.05


def test_depthwise_convolutions_with_a_stride_go_on_in_float32(images: torch.Tensor) -> None:
    net = net_of()
    precision = MixedPrecision(net, enabled=True)
    types: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            slow = module.groups > 1 and module.stride[0] > 1
            module.register_forward_hook(lambda _, __, out, slow=slow: types[slow].add(out.dtype))
    precision.scores(net, images)
    assert types == {True: {torch.float32}, False: {torch.bfloat16}}


def test_a_copy_has_weights_of_its_own(images: torch.Tensor) -> None:
    """The averaged weights are a copy of the network, and must not be computed with those that are trained."""
    net = net_of().eval()
    MixedPrecision(net, enabled=True)
    copied = copy.deepcopy(net)
    with torch.no_grad():
        before = copied(images)["fcn32s"]
        for parameter in net.parameters():
            parameter.zero_()
        assert torch.equal(copied(images)["fcn32s"], before)
