from __future__ import annotations

import pytest
import torch

from fcn_edge.errors import UsageError
from fcn_edge.nets.fcn import FCN

ALL = ("fcn32s", "fcn16s", "fcn8s")


@pytest.fixture
def net() -> FCN:
    torch.manual_seed(0)
    net = FCN("mobilenet_v2", ALL, 5).eval()
    for parameter in net.decoders.parameters():
        torch.nn.init.normal_(parameter)
    return net


@torch.inference_mode()
def test_several_decoders_share_one_encoder(net: FCN) -> None:
    image = torch.randn(1, 3, 64, 96)
    scores = net(image)
    assert net.decoder_names == ALL
    assert {name: tuple(value.shape) for name, value in scores.items()} == {
        "fcn32s": (1, 5, 2, 3),
        "fcn16s": (1, 5, 4, 6),
        "fcn8s": (1, 5, 8, 12),
    }
    assert [net.stride(name) for name in ALL] == [32, 16, 8]
    assert sum(key.startswith("encoder.") for key in net.state_dict()) == len(net.encoder.state_dict())


@torch.inference_mode()
@pytest.mark.parametrize("name", ALL)
def test_one_decoder_taken_out_gives_the_same(net: FCN, name: str) -> None:
    image = torch.randn(1, 3, 64, 96)
    one = net.single(name)
    assert one.decoder_names == (name,)
    assert torch.equal(one(image)[name], net(image)[name])
    fresh = FCN("mobilenet_v2", (name,), 5).eval()
    fresh.load_state_dict(one.state_dict())
    assert torch.equal(fresh(image)[name], net(image)[name])


def test_one_decoder_taken_out_shares_its_parameters(net: FCN) -> None:
    one = net.single("fcn16s")
    assert one.encoder is net.encoder
    assert one.decoders["fcn16s"] is net.decoders["fcn16s"]
    assert net.decoder_names == ALL


def test_a_decoder_that_is_not_there(net: FCN) -> None:
    with pytest.raises(UsageError, match="no decoder 'fcn4s'") as caught:
        net.single("fcn4s")
    assert "fcn32s, fcn16s, fcn8s" in caught.value.fix


@torch.inference_mode()
def test_start_from_a_coarser_network_predicts_what_it_predicted(net: FCN) -> None:
    coarse = net.single("fcn32s")
    finer = FCN("mobilenet_v2", ("fcn16s", "fcn8s"), 5).eval()
    fresh = finer.start_from(coarse.state_dict())
    assert sorted(fresh) == [
        "decoders.fcn16s.score16.bias",
        "decoders.fcn16s.score16.weight",
        "decoders.fcn8s.score16.bias",
        "decoders.fcn8s.score16.weight",
        "decoders.fcn8s.score8.bias",
        "decoders.fcn8s.score8.weight",
    ]
    image = torch.randn(1, 3, 64, 96)
    expected, scores = coarse(image)["fcn32s"], finer(image)
    for name, times in (("fcn16s", 1), ("fcn8s", 2)):
        up = expected
        for _ in range(times):
            up = torch.nn.functional.interpolate(up, scale_factor=2.0, mode="bilinear", align_corners=False)
        torch.testing.assert_close(scores[name], up)


def test_start_from_copies(net: FCN) -> None:
    finer = FCN("mobilenet_v2", ("fcn16s",), 5)
    finer.start_from(net.single("fcn32s").state_dict())
    before = net.decoders["fcn32s"].score32.bias.clone()
    with torch.no_grad():
        finer.decoders["fcn16s"].score32.bias += 1
    assert torch.equal(net.decoders["fcn32s"].score32.bias, before)


def test_start_from_another_network_is_refused(net: FCN) -> None:
    with pytest.raises(UsageError, match=r"score32\.weight is \(5, 1280, 1, 1\); \(3, 1280, 1, 1\) was expected"):
        FCN("mobilenet_v2", ("fcn16s",), 3).start_from(net.single("fcn32s").state_dict())
    heads = {key: value for key, value in net.single("fcn32s").state_dict().items() if key.startswith("decoders.")}
    with pytest.raises(UsageError, match=r"lacks \d+ tensors of the mobilenet_v2 encoder"):
        FCN("mobilenet_v2", ("fcn16s",), 5).start_from(heads)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("vgg19", ("fcn8s",), 5), "no encoder named 'vgg19'"),
        (("mobilenet_v2", ("fcn4s",), 5), "no decoder named 'fcn4s'"),
        (("mobilenet_v2", (), 5), "at least one decoder"),
        (("mobilenet_v2", ("fcn8s",), 1), "at least 2 classes, not 1"),
    ],
)
def test_networks_that_cannot_be(arguments, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FCN(*arguments)
