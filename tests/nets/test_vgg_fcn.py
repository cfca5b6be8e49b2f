from __future__ import annotations

import pytest
import torch

from fcn_edge.nets.vgg_fcn import VGG_FCN_DECODERS, VggFcn

ALL_LEARNED = dict.fromkeys(("upscore", "upscore2", "upscore_pool4", "upscore8", "upscore16"), 1)


@pytest.mark.parametrize(("decoder", "parameters"), [("fcn32s", 136_152_917), ("fcn8s", 134_489_759)])
def test_full_width_has_as_many_parameters_as_was_published(decoder: str, parameters: int) -> None:
    with torch.device("meta"):
        net = VggFcn(decoder, 21, learned=ALL_LEARNED)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


@pytest.mark.parametrize("decoder", VGG_FCN_DECODERS)
def test_names_are_the_authors(decoder: str) -> None:
    with torch.device("meta"):
        names = set(VggFcn(decoder, 2, learned=ALL_LEARNED).state_dict())
    stages = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    layers = [f"conv{stage}_{number}" for stage, count in stages for number in range(1, count + 1)]
    layers += ["fc6", "fc7", "score_fr"]
    up = {
        "fcn32s": ["upscore"],
        "fcn16s": ["upscore2", "upscore16"],
        "fcn8s": ["upscore2", "upscore_pool4", "upscore8"],
    }
    layers += {"fcn32s": [], "fcn16s": ["score_pool4"], "fcn8s": ["score_pool4", "score_pool3"]}[decoder]
    expected = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert names == expected | {f"{layer}.weight" for layer in up[decoder]}
