from __future__ import annotations

import math

import pytest
import torch

from fcn_edge.errors import UsageError
from fcn_edge.nets.encoders import ENCODERS, encoder

from .torchvision_layout import CLASSIFIERS, LAYOUTS, PUBLISHED_PARAMETERS, STATISTICS

CHANNELS = {"vgg16": (256, 512, 512), "resnet50": (512, 1024, 2048), "mobilenet_v2": (32, 96, 1280)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_expected_layout_has_the_published_number_of_parameters(name: str) -> None:
    layout = LAYOUTS[name]()
    count = sum(math.prod(shape) for key, shape in layout.items() if not key.endswith(STATISTICS))
    assert count == PUBLISHED_PARAMETERS[name]


@pytest.mark.parametrize("name", LAYOUTS)
def test_names_and_shapes_are_those_of_torchvision(name: str) -> None:
    expected = {key: shape for key, shape in LAYOUTS[name]().items() if not key.startswith(CLASSIFIERS)}
    assert {key: tuple(value.shape) for key, value in encoder(name).state_dict().items()} == expected


def test_every_encoder_is_checked() -> None:
    assert set(ENCODERS) == set(LAYOUTS) == set(CHANNELS)


@torch.inference_mode()
@pytest.mark.parametrize("name", LAYOUTS)
def test_feature_maps_have_strides_8_16_and_32(name: str) -> None:
    net = encoder(name).eval()
    assert net.channels == CHANNELS[name]
    maps = net(torch.randn(2, 3, 64, 96))
    expected = [
        (2, width, 64 // stride, 96 // stride) for width, stride in zip(CHANNELS[name], (8, 16, 32), strict=True)
    ]
    assert [tuple(feature.shape) for feature in maps] == expected


@torch.inference_mode()
@pytest.mark.parametrize("name", LAYOUTS)
def test_features_move_with_the_image(name: str) -> None:
    """A shift of the image by one stride shifts the map of that stride by one cell: the grids are aligned."""
    net = encoder(name).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    image = torch.randn(1, 3, 32, 1024, generator=torch.Generator().manual_seed(0))
    shifted = torch.roll(image, 32, dims=3)
    for before, after, stride in zip(net(image), net(shifted), (8, 16, 32), strict=True):
        cells = 32 // stride
        # farther from the edges than any receptive field reaches
        inner = slice(before.shape[3] // 2 - cells, before.shape[3] // 2 + cells)
        torch.testing.assert_close(
            after[..., inner.start + cells : inner.stop + cells], before[..., inner], rtol=1e-3, atol=1e-3
        )
        assert (after[..., inner] - before[..., inner]).abs().max() > 0.1


@torch.inference_mode()
def test_taps_of_mobilenet_are_linear_and_of_the_others_not() -> None:
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for name in LAYOUTS:
        fine, middle, coarse = encoder(name).eval()(image)
        linear = name == "mobilenet_v2"
        assert bool((fine < 0).any()) is bool((middle < 0).any()) is linear
        assert not (coarse < 0).any()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="no encoder named 'vgg19'") as caught:
        encoder("vgg19")
    assert "vgg16, resnet50, mobilenet_v2" in caught.value.fix


@pytest.mark.parametrize("name", LAYOUTS)
def test_blocks_are_the_parts_between_halvings(name: str) -> None:
    """A block reads the grid of the one before and ends at its own stride; each layer is in one block."""
    net = encoder(name)
    assert len(net.blocks) == 5
    for key in net.state_dict():
        assert sum(key.startswith(block) for block in net.blocks) == 1, key
    strides: dict[str, int] = {}

    def note(layer: str) -> None:
        def hook(_: torch.nn.Module, __: object, output: torch.Tensor) -> None:
            strides[layer] = 128 // output.shape[3]

        dict(net.named_modules())[layer].register_forward_hook(hook)

    last = [block[-1].removesuffix(".") for block in net.blocks]
    for layer in last:
        note(layer)
    with torch.inference_mode():
        net.eval()(torch.randn(1, 3, 64, 128))
    assert [strides[layer] for layer in last] == [2, 4, 8, 16, 32]
