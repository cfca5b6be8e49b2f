from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.errors import UsageError
from fcn_edge.export.folding import DeployedNetwork
from fcn_edge.export.torch_network import SingleDecoder
from fcn_edge.nets.encoders import ENCODERS
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize

from ..exported_networks import random_net

CAFFE = Normalization(color_order="bgr", mean=(104.00698793, 116.66876762, 122.67891434), std=(1.0, 1.5, 2.0))


@torch.inference_mode()
@pytest.mark.parametrize("normalization", [Normalization(), CAFFE], ids=["rgb", "bgr"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_folding_changes_nothing_but_rounding(encoder: str, normalization: Normalization, images_of_size) -> None:
    images = images_of_size((64, 96))
    net = random_net(encoder, ("fcn8s",), images, normalization=normalization)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    image = torch.from_numpy(images[0])
    deployed = DeployedNetwork(SingleDecoder(net, "fcn8s"), normalization)
    expected = net(Normalize(normalization)(image[None]))["fcn8s"][0]
    assert not [module for module in deployed.modules() if isinstance(module, nn.BatchNorm2d)]
    torch.testing.assert_close(deployed(image), expected, rtol=0, atol=2e-4)
    # noise of this size is what wrong colors or a wrong border would far exceed
    assert (deployed(image.flip(2)) - expected).abs().max() > 0.1
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert net.encoder.training is False


def test_takes_one_of_several_decoders(three_decoders: FCN, images_of_size) -> None:
    image = torch.from_numpy(images_of_size((96, 160))[0])
    for name in three_decoders.decoder_names:
        expected = three_decoders(Normalize(Normalization())(image[None]))[name][0]
        torch.testing.assert_close(
            DeployedNetwork(SingleDecoder(three_decoders, name), Normalization())(image), expected, rtol=0, atol=1e-4
        )


def test_refuses_a_decoder_that_is_not_there(three_decoders: FCN) -> None:
    with pytest.raises(UsageError, match="no decoder 'fcn4s'"):
        SingleDecoder(three_decoders, "fcn4s")
