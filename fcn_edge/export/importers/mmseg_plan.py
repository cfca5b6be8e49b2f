"""What an mmsegmentation network's keys do not tell: strides, dilations, and how its scores meet the image's corners.

Source: mmsegmentation 1.2.2, ``configs/fcn``, ``configs/mobilenet_v2``, ``models/backbones/resnet.py`` (defaults),
``models/decode_heads/decode_head.py``. The configuration is in most checkpoints; names of the model zoo tell the rest:
``fcn_r50-d8_512x1024`` has scores of stride 8, ``fcn-d6_r50-d16_769x769`` of stride 16, convolutions dilated by 6 in
its head, and ``align_corners=True``, as all networks for 769x769.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.spec import Normalization, Size
from fcn_edge.errors import CheckpointError
from fcn_edge.export.importers.openmmlab_config import assigned
from fcn_edge.text import listed

__all__ = ["MOBILE", "RESNET", "HiddenPlan", "plan_by_name", "plan_of_config"]

Numbers = tuple[int, ...]

RESNET: Mapping[int, tuple[Numbers, Numbers]] = {
    8: ((1, 2, 1, 1), (1, 1, 2, 4)),
    16: ((1, 2, 2, 1), (1, 1, 1, 2)),
    32: ((1, 2, 2, 2), (1, 1, 1, 1)),
}
"""Strides and dilations of the layers of a ResNet by the stride of its features."""

MOBILE: Mapping[int, tuple[Numbers, Numbers]] = {8: ((1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4))}
"""The same of MobileNetV2; the model zoo has no FCN of another stride."""

LARGEST_SIDE = 1 << 14
LARGEST_DILATION = 100
MOST_CONVS = 100
USUAL_EPS = 1e-5
MOST_COLOR = 1e6


@dataclass(frozen=True)
class HiddenPlan:
    """What is not in the keys.

    Attributes:
        strides: Stride of each layer's first block.
        dilations: Dilation of each layer.
        contracted: The first block of a dilated layer has half its dilation.
        head_dilation: Dilation of the convolutions that stand in a row in the head.
        align_corners: The scores are interpolated so that the outermost cells lie on the outermost pixels.
        size: Height and width of the crops that it was trained on, where they are known.
        normalization: What it was trained with, where it is known.
        head: Number of the head's convolutions, whether one more reads them beside their input, and the side of their
            kernels, where they are known.
    """

    strides: Numbers
    dilations: Numbers
    contracted: bool = True
    head_dilation: int = 1
    align_corners: bool = False
    size: Size | None = None
    normalization: Normalization | None = None
    head: tuple[int, bool, int] | None = None

    @property
    def form(self) -> tuple[object, ...]:
        """What makes it another network."""
        return self.strides, self.dilations, self.contracted, self.head_dilation, self.align_corners


def plan_by_name(name: str, layers: Mapping[int, tuple[Numbers, Numbers]]) -> HiddenPlan | None:
    """The plan of a name as in the model zoo, such as ``fcn_r50-d8_512x1024_40k_cityscapes``; None for other names.

    Args:
        name: A name.
        layers: Strides and dilations by the stride of the features.
    """
    stride = re.search(r"(?<![a-z0-9])d(8|16|32)(?![0-9])", name)
    if stride is None or int(stride[1]) not in layers:
        return None
    strides, dilations = layers[int(stride[1])]
    size = re.search(r"(?<![0-9])(\d{3,4})x(\d{3,4})(?![0-9])", name)
    return HiddenPlan(
        strides,
        dilations,
        head_dilation=6 if re.search(r"fcn[-_]d6(?![0-9])", name) else 1,
        align_corners="769x769" in name,
        size=(int(size[1]), int(size[2])) if size else None,
    )


def plan_of_config(path: Path, text: str, layers: Mapping[int, tuple[Numbers, Numbers]]) -> HiddenPlan | None:
    """The plan of a configuration; None where the text holds no network.

    Args:
        path: The checkpoint that it comes from.
        text: The configuration.
        layers: Strides and dilations by the stride of the features.

    Raises:
        CheckpointError: The network is another than its keys let expect.
    """
    model = _dictionary(assigned(text, "model"))
    backbone, head = _dictionary(model.get("backbone")), _dictionary(model.get("decode_head"))
    if not backbone or not head:
        return None
    _require_known(path, backbone, head)
    # the backbones' own defaults
    count = len(layers[8][0])
    usual = (1, 2, 2, 2) if count == 4 else (1, 2, 2, 2, 1, 2, 1)
    return HiddenPlan(
        _numbers(path, backbone, "strides", usual, 2),
        _numbers(path, backbone, "dilations", (1,) * count, LARGEST_DILATION),
        contracted=backbone.get("contract_dilation") is True,
        head_dilation=_numbers(path, {"dilation": [head.get("dilation", 1)]}, "dilation", (1,), LARGEST_DILATION)[0],
        align_corners=head.get("align_corners") is True,
        size=_size(assigned(text, "crop_size")),
        normalization=_normalization(path, model.get("data_preprocessor"), assigned(text, "img_norm_cfg")),
        # FCNHead's own defaults
        head=(
            _numbers(path, {"num_convs": [head.get("num_convs", 2)]}, "num_convs", (2,), MOST_CONVS)[0],
            head.get("concat_input", True) is True,
            _numbers(path, {"kernel_size": [head.get("kernel_size", 3)]}, "kernel_size", (3,), LARGEST_DILATION)[0],
        ),
    )


def _require_known(path: Path, backbone: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    other = [
        f"{part}={settings[part]!r}"
        for settings, part, known in (
            (backbone, "type", ("ResNetV1c", "ResNet", "MobileNetV2")),
            (backbone, "style", ("pytorch",)),
            (backbone, "avg_down", (False,)),
            (backbone, "multi_grid", (None,)),
            (backbone, "dcn", (None,)),
            (backbone, "plugins", (None,)),
            (head, "type", ("FCNHead",)),
            (head, "in_index", (3, -1)),
            (head, "input_transform", (None,)),
        )
        if _short(settings.get(part, known[0])) not in known
    ]
    of_backbone = "ReLU6" if _short(backbone.get("type")) == "MobileNetV2" else "ReLU"
    for part, settings, usual in (("backbone", backbone, of_backbone), ("decode_head", head, "ReLU")):
        activation, norm = _dictionary(settings.get("act_cfg")), _dictionary(settings.get("norm_cfg"))
        if _short(activation.get("type", usual)) != usual or norm.get("eps", USUAL_EPS) != USUAL_EPS:
            other.append(f"another activation or normalization in its {part}")
    if other:
        parts = listed([shown(one) for one in other])
        raise CheckpointError(
            f"{path} says in its configuration that the network has {parts}, which cannot be rebuilt here.",
            "Export it to ONNX where its code is and give that file.",
        )


def _short(value: Any) -> Any:
    """A name without the package that it is registered in, as ``mmseg.FCNHead``."""
    return value.rpartition(".")[2] if isinstance(value, str) else value


def _numbers(path: Path, settings: Mapping[str, Any], key: str, usual: Numbers, largest: int) -> Numbers:
    found = settings.get(key, usual)
    if (
        not isinstance(found, list | tuple)
        or len(found) != len(usual)
        or not all(isinstance(number, int) and 1 <= number <= largest for number in found)
    ):
        raise CheckpointError(
            f"{path} says in its configuration that the {key} are {shown(repr(found))}; {len(usual)} numbers from "
            f"1 to {largest} were expected.",
            "Export it to ONNX where its code is and give that file.",
        )
    return tuple(found)


def _size(found: object) -> Size | None:
    """``(height, width)``, both of a number."""
    sides: list[Any] = found if isinstance(found, list) else [found, found]
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in sides):
        return None
    return sides[0], sides[1]


def _normalization(path: Path, newer: object, older: object) -> Normalization | None:
    """That of version 1's ``data_preprocessor``, or of version 0's ``img_norm_cfg``; None where neither is there."""
    for settings, orders in ((_dictionary(newer), ("bgr_to_rgb", "rgb_to_bgr")), (_dictionary(older), ("to_rgb",))):
        if not settings:
            continue
        # images are read as BGR, and either of the newer settings swaps their channels
        is_rgb = any(settings.get(order, order == "to_rgb") for order in orders)
        given = settings.get("mean"), settings.get("std")
        # without either, version 1 leaves colors as they are
        mean, std = ((0.0,) * 3, (1.0,) * 3) if given == (None, None) else map(_triple, given)
        if mean is None or std is None or min(std) <= 0:
            raise CheckpointError(
                f"{path} says in its configuration that colors have the mean {shown(repr(given[0]))} and the "
                f"deviation {shown(repr(given[1]))}; three numbers each, the latter above 0, were expected.",
                "Export it to ONNX where its code is and give that file.",
            )
        return Normalization(color_order="rgb" if is_rgb else "bgr", mean=mean, std=std)
    return None


def _triple(value: Any) -> tuple[float, float, float] | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    if not all(type(number) in (int, float) and abs(number) < MOST_COLOR for number in value):
        return None
    first, second, third = map(float, value)
    return first, second, third


def _dictionary(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
