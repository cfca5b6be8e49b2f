from __future__ import annotations

import torch

from fcn_edge.nets.mmseg_fcn import FCNHead, MMSegFCN, MobileNetV2

WIDTHS, BLOCKS = (8, 4, 8, 8, 16, 24, 40, 80), (1, 2, 3, 4, 3, 3, 1)


def mobilenet() -> MobileNetV2:
    return MobileNetV2(WIDTHS, BLOCKS, (1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4))


@torch.inference_mode()
def test_every_size_gives_the_cells_that_the_stride_says() -> None:
    head = FCNHead(80, 16, 5, convs=2, kernel=3, dilation=1, concat_input=True)
    net = MMSegFCN(mobilenet(), head).eval()
    for height, width in ((64, 96), (65, 95), (71, 1)):
        assert net(torch.zeros(1, 3, height, width)).shape == (1, 5, -(-height // 8), -(-width // 8))


def test_first_blocks_only_are_dilated() -> None:
    depthwise = {
        name: layer.dilation[0]
        for name, layer in mobilenet().named_modules()
        if isinstance(layer, torch.nn.Conv2d) and layer.groups > 1
    }
    dilated = {name.rpartition(".conv.")[0]: dilation for name, dilation in depthwise.items() if dilation > 1}
    assert dilated == {"layer4.0": 2, "layer5.0": 2, "layer6.0": 4, "layer7.0": 4} or dilated == {
        f"{layer}.conv.1": dilation
        for layer, dilation in (("layer4.0", 2), ("layer5.0", 2), ("layer6.0", 4), ("layer7.0", 4))
    }


@torch.inference_mode()
def test_the_head_dilates_its_row_and_keeps_the_size() -> None:
    head = FCNHead(6, 4, 3, convs=2, kernel=3, dilation=6, concat_input=True).eval()
    assert [layer.conv.dilation[0] for layer in (*head.convs, head.conv_cat)] == [6, 6, 1]
    assert head(torch.zeros(1, 6, 9, 7)).shape == (1, 3, 9, 7)
    alone = FCNHead(6, 4, 3, convs=1, kernel=1, dilation=1, concat_input=False)
    assert alone.conv_cat is None
    assert alone(torch.zeros(1, 6, 9, 7)).shape == (1, 3, 9, 7)
