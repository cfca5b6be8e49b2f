from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Normalization
from fcn_edge.artifacts.weights import Weights, weights_of
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers import mmsegmentation
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.onnx import onnx_from_checkpoint

from .described import Described, of_bytes, reference_of, require_equal, require_same
from .mmseg_networks import D16, mobilenet_fcn, resnet_fcn

SIZE, ODD = (96, 160), (71, 117)
RESNET, MOBILE = mmsegmentation.FAMILIES

CONFIG_D16 = """
crop_size = (
    769,
    769,
)
data_preprocessor = dict(bgr_to_rgb=True, pad_val=0, size=(769, 769), type='SegDataPreProcessor')
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=4000, type='CheckpointHook'))
model = dict(
    auxiliary_head=dict(align_corners=True, channels=256, dilation=6, in_index=2, type='FCNHead'),
    backbone=dict(
        contract_dilation=True,
        depth=50,
        dilations=(
            1,
            1,
            1,
            2,
        ),
        norm_cfg=dict(requires_grad=True, type='SyncBN'),
        strides=(
            1,
            2,
            2,
            1,
        ),
        style='pytorch',
        type='ResNetV1c'),
    data_preprocessor=dict(
        bgr_to_rgb=True,
        mean=[
            120.0,
            115.5,
            105,
        ],
        std=[
            58.395,
            57.12,
            57.375,
        ],
        type='SegDataPreProcessor'),
    decode_head=dict(
        align_corners=True,
        channels=512,
        dilation=6,
        in_index=3,
        loss_decode=dict(loss_weight=1.0, type='CrossEntropyLoss'),
        type='FCNHead'),
    test_cfg=dict(crop_size=(769, 769), mode='slide', stride=(513, 513)),
    type='EncoderDecoder')
optimizer = dict(lr=float('inf'), type='SGD')
"""

NAMES = tuple(f"kind {index}" for index in range(19))
PALETTE = [[index, 2 * index, 3 * index] for index in range(19)]


class MessageHub:
    """Stands for an object of mmengine, whose class the reader does not know."""

    def __init__(self) -> None:
        self.log_scalars = {"train/loss": [0.5, 0.25]}


def checkpoint_of(state: dict[str, torch.Tensor], **meta: object) -> dict[str, object]:
    """What mmengine's runner saves."""
    return {
        "meta": {"epoch": 0, "iter": 40000, "seed": 7, "mmengine_version": "0.10.7", **meta},
        "state_dict": state,
        "message_hub": MessageHub(),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.01, "params": [0]}]},
    }


@pytest.fixture(scope="module")
def d8(images_of_size) -> Described:
    return resnet_fcn(images_of_size(SIZE))


@pytest.fixture
def weights(d8: Described, tmp_path: Path):
    def saved(name: str = "iter_40000.pth", **meta: object) -> Weights:
        torch.save(checkpoint_of(d8.state, **meta), tmp_path / name)
        return weights_of(tmp_path / name)

    return saved


def test_checkpoint_gives_the_networks_own_scores_and_masks(d8, images_of_size, tmp_path) -> None:
    images = images_of_size(SIZE)
    checkpoint, output = tmp_path / "fcn_r50-d8_512x1024_40k_cityscapes.pth", tmp_path / "net.onnx"
    torch.save(checkpoint_of(d8.state, dataset_meta={"classes": NAMES, "palette": PALETTE}), checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images).spec
    require_equal(output, reference_of(d8), images[:2], SIZE, ODD)
    assert (spec.family, spec.name, spec.encoder) == ("mmsegmentation", "fcn_r20-d8", "resnet20_v1c")
    assert (spec.stride, spec.geometry.align) == (8, "edges")
    assert spec.classes == NAMES
    assert [list(color) for color in spec.palette] == PALETTE


def test_everything_of_the_configuration_is_taken(images_of_size, tmp_path: Path) -> None:
    images = images_of_size(ODD)
    normalize = of_bytes((120.0, 115.5, 105.0), (58.395, 57.12, 57.375))
    net = resnet_fcn(images, **D16, head_dilation=6, align_corners=True, normalize=normalize)
    torch.save(checkpoint_of(net.state, cfg=CONFIG_D16), tmp_path / "iter_40000.pth")
    network = RESNET.network(weights_of(tmp_path / "iter_40000.pth"), ImportOptions())
    require_same(network, reference_of(net), images[0])
    spec = network.spec
    assert (spec.name, spec.stride, spec.geometry.align, spec.size) == ("fcn-d6_r20-d16", 16, "corners", (769, 769))
    assert spec.normalization.mean == (120.0, 115.5, 105.0)
    assert network.notes == ()


@pytest.mark.parametrize(
    "shape",
    [
        {"deep_stem": False},
        {"bottleneck": False, "blocks": (2, 2, 2, 2)},
        {"classes": 150, "blocks": (1, 1, 3, 2)},
    ],
    ids=["ResNet without a deep stem", "ResNetV1c-18, dilated BasicBlocks", "150 classes"],
)
def test_keys_tell_the_rest(images_of_size, tmp_path: Path, shape) -> None:
    images = images_of_size(ODD)
    net = resnet_fcn(images, **shape)
    torch.save(checkpoint_of(net.state), tmp_path / "fcn_r18-d8.pth")
    require_same(RESNET.network(weights_of(tmp_path / "fcn_r18-d8.pth"), ImportOptions()), reference_of(net), images[0])


def test_mobilenet_is_dilated_in_first_blocks_only(images_of_size, tmp_path: Path) -> None:
    images = images_of_size(ODD)
    net = mobilenet_fcn(images, divisor=8, hidden=8)
    torch.save(checkpoint_of(net.state), tmp_path / "mobilenet-v2-d8_fcn.pth")
    network = MOBILE.network(weights_of(tmp_path / "mobilenet-v2-d8_fcn.pth"), ImportOptions())
    require_same(network, reference_of(net), images[0])
    assert (network.spec.name, network.spec.encoder, network.spec.stride) == ("fcn_m-v2-d8", "mobilenet_v2", 8)


@pytest.mark.parametrize(
    ("name", "arch", "expected"),
    [
        ("fcn-d6_r50-d16_769x769_40k_cityscapes.pth", None, ("fcn-d6_r20-d16", 16, "corners", (769, 769))),
        ("fcn_d6_r50-d16_512x1024_40k_cityscapes.pth", None, ("fcn-d6_r20-d16", 16, "edges", (512, 1024))),
        ("fcn_r50-d8_480x480_40k_pascal_context.pth", None, ("fcn_r20-d8", 8, "edges", (480, 480))),
        ("best.pth", "fcn_r50-d32", ("fcn_r20-d32", 32, "edges", (512, 1024))),
        ("best.pth", None, ("fcn_r20-d8", 8, "edges", (512, 1024))),
    ],
)
def test_names_tell_what_keys_do_not(weights, name, arch, expected) -> None:
    network = RESNET.network(weights(name), ImportOptions(arch))
    spec = network.spec
    assert (spec.name, spec.stride, spec.geometry.align, spec.size) == expected
    assert bool(network.notes) == (arch is None)
    if name == "best.pth" and arch is None:
        assert "those of stride 8 were taken. With --arch" in network.notes[0]


def test_arch_that_says_nothing_or_contradicts_is_refused(weights) -> None:
    with pytest.raises(UsageError, match=r"resnet50 is no FCN of mmsegmentation.*fcn-d6_r50-d16 of stride 16"):
        RESNET.network(weights(), ImportOptions("resnet50"))
    with pytest.raises(UsageError, match=r"iter_40000.pth is not fcn_r50-d8: its configuration says something else"):
        RESNET.network(weights(cfg=CONFIG_D16), ImportOptions("fcn_r50-d8"))
    with pytest.raises(UsageError, match=r"decoder of .* is fcn_head"):
        RESNET.network(weights(), ImportOptions(decoder="fcn8s"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("style='pytorch'", "style='caffe'", "has style='caffe', which cannot be rebuilt"),
        ("in_index=3", "in_index=2", "has in_index=2"),
        ("type='FCNHead')", "type='GCHead')", "has type='GCHead'"),
        ("dilation=6", "dilation=0", "the dilation are .0.; 1 numbers from 1 to 100"),
        ("strides=(", "strides=(5, ", "the strides are .5, 1, 2, 2, 1.; 4 numbers from 1 to 2 were expected"),
        ("57.12,", "0.0,", "the deviation .58.395, 0.0, 57.375.; three numbers each, the latter above 0"),
        ("            115.5,\n", "", "colors have the mean .120.0, 105. and"),
    ],
)
def test_other_networks_are_refused(weights, old, new, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        RESNET.network(weights(cfg=CONFIG_D16.replace(old, new)), ImportOptions())


def test_colors_without_a_mean_stay_as_they_are(weights) -> None:
    start, end = (
        CONFIG_D16.index("        mean=["),
        CONFIG_D16.index("        type='SegDataPreProcessor'),\n    decode_head"),
    )
    spec = RESNET.network(weights(cfg=CONFIG_D16[:start] + CONFIG_D16[end:]), ImportOptions()).spec
    assert spec.normalization == Normalization(color_order="rgb", mean=(0, 0, 0), std=(1, 1, 1))


def test_other_heads_on_the_same_backbone_are_refused(d8: Described, tmp_path: Path) -> None:
    """GCHead, NLHead and others inherit all layers of FCNHead."""
    state = {**d8.state, "decode_head.gc_block.conv_mask.weight": torch.ones(1, 16, 1, 1)}
    torch.save(checkpoint_of(state), tmp_path / "gcnet_r50-d8.pth")
    with pytest.raises(CheckpointError, match=r"also holds decode_head.gc_block.conv_mask.weight"):
        RESNET.network(weights_of(tmp_path / "gcnet_r50-d8.pth"), ImportOptions())


@pytest.mark.parametrize(
    ("meta", "classes", "color", "note"),
    [
        ({"dataset_meta": {"classes": NAMES, "palette": PALETTE}}, NAMES, (3, 6, 9), ""),
        ({"CLASSES": NAMES, "PALETTE": PALETTE}, NAMES, (3, 6, 9), ""),
        ({"dataset_meta": {"classes": NAMES}}, NAMES, (128, 128, 0), ""),
        ({"CLASSES": NAMES[1:]}, LABEL_SETS["cityscapes"].classes, (102, 102, 156), "names 18 classes and scores 19"),
        ({"CLASSES": ("a",) * 19}, LABEL_SETS["cityscapes"].classes, (102, 102, 156), "have the same name"),
        ({}, LABEL_SETS["cityscapes"].classes, (102, 102, 156), ""),
    ],
)
def test_classes_and_colors(weights, meta, classes, color, note) -> None:
    network = RESNET.network(weights("fcn_r50-d8.pth", **meta), ImportOptions())
    assert (network.spec.classes, network.spec.palette[3]) == (classes, color)
    assert (note in network.notes[-1]) if note else len(network.notes) == 1


@pytest.mark.slow
@pytest.mark.parametrize("make", [resnet_fcn, mobilenet_fcn])
def test_full_width(images_of_size, tmp_path: Path, make) -> None:
    images = images_of_size(SIZE)
    wide = {"width": 64, "blocks": (3, 4, 6, 3)} if make is resnet_fcn else {"divisor": 1}
    net = make(images, hidden=512, **wide)
    checkpoint, output = tmp_path / "net-d8.pth", tmp_path / "net.onnx"
    torch.save(checkpoint_of(net.state), checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images).spec
    require_equal(output, reference_of(net), images[:2], SIZE, ODD)
    assert spec.name == ("fcn_r50-d8" if make is resnet_fcn else "fcn_m-v2-d8")


@pytest.mark.slow
def test_corners_and_stride_16_at_full_width(images_of_size, tmp_path: Path) -> None:
    images = images_of_size(SIZE)
    net = resnet_fcn(
        images, **D16, blocks=(3, 4, 6, 3), width=64, hidden=512, head_dilation=6, align_corners=True, deep_stem=False
    )
    checkpoint, output = tmp_path / "fcn-d6_r50b-d16_769x769.pth", tmp_path / "net.onnx"
    torch.save(net.state, checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images).spec
    require_equal(output, reference_of(net), images[:2], SIZE, ODD)
    assert spec.name == "fcn-d6_r50b-d16"


def test_what_training_keeps_beside_the_network_is_left_out(d8: Described, tmp_path: Path) -> None:
    beside = {
        "ema_backbone_stem_0_weight": torch.zeros(4, 3, 3, 3),
        "decode_head.loss_decode.class_weight": torch.ones(19),
    }
    torch.save(checkpoint_of({**d8.state, **beside}), tmp_path / "net.pth")
    assert RESNET.network(weights_of(tmp_path / "net.pth"), ImportOptions(size=SIZE)).spec.stride == 8


def test_a_head_that_is_not_the_configuration_s_is_refused(d8: Described, tmp_path: Path) -> None:
    state = {name: value for name, value in d8.state.items() if "conv_cat" not in name}
    config = CONFIG_D16.replace("dilation=6", "dilation=1")
    torch.save(checkpoint_of(state, cfg=config), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"head of \d convolutions 3x3 alone; its configuration says 2 convo"):
        RESNET.network(weights_of(tmp_path / "net.pth"), ImportOptions(size=(97, 97)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type='FCNHead'),\n    test_cfg", "act_cfg=dict(type='LeakyReLU'),\n        type='FCNHead'),\n    test_cfg"),
        ("norm_cfg=dict(requires_grad=True, type='SyncBN')", "norm_cfg=dict(eps=0.1, type='SyncBN')"),
        ("type='ResNetV1c'", "type='ResNetV1d'"),
    ],
)
def test_a_configuration_of_another_network_is_refused(d8: Described, tmp_path: Path, old: str, new: str) -> None:
    assert old in CONFIG_D16
    torch.save(checkpoint_of(d8.state, cfg=CONFIG_D16.replace(old, new)), tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="which cannot be rebuilt here"):
        RESNET.network(weights_of(tmp_path / "net.pth"), ImportOptions(size=(97, 97)))
