"""Networks of others, as ``export`` takes them: ONNX files, and OpenMMLab's configurations."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from ..damages import TEXT
from ..parser import Parser
from .messages import ONNX

__all__ = ["CONFIG", "PARSERS"]

CONFIG = b"""
crop_size = (512, 1024)
data_preprocessor = dict(bgr_to_rgb=True, type='SegDataPreProcessor')
model = dict(
    backbone=dict(contract_dilation=True, depth=50, dilations=(1, 1, 2, 4), norm_cfg=dict(requires_grad=True),
        strides=(1, 2, 1, 1), style='pytorch', type='ResNetV1c'),
    data_preprocessor=dict(bgr_to_rgb=True, mean=[120.0, 115.5, 105], std=[58.395, 57.12, 57.375]),
    decode_head=dict(align_corners=False, dilation=1, in_index=3, num_convs=2, type='FCNHead'),
    pretrained='it\\'s (not) here')
optimizer = dict(lr=float('inf'), type='SGD', paramwise_cfg=dict(custom_keys={'.conv_seg': dict(lr_mult=10.)}))
"""
LAYERS = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2)), 32: ((1, 2, 2, 2), (1, 1, 1, 1))}


def foreign_models(_: Path) -> list[bytes]:
    from ...export.importers import foreign_forms

    size = (32, 64)
    forms = (foreign_forms.bare, foreign_forms.mmsegmentation, foreign_forms.paddleseg)
    return [form(size).SerializeToString() for form in forms]


def imported(path: Path, _: Path) -> object:
    from fcn_edge.artifacts.label_sets import generated_palette
    from fcn_edge.artifacts.label_sets.base import LabelSet
    from fcn_edge.export.importers.base import ImportOptions
    from fcn_edge.export.importers.registry import trained_network
    from fcn_edge.export.onnx import onnx_from_network

    labels = LabelSet("seven", tuple("abcdefg"), generated_palette(7), 255)
    options = ImportOptions(
        labels=labels, mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4), color_order="rgb", size=(32, 64)
    )
    return onnx_from_network(trained_network(path, options)).SerializeToString()


def configured(path: Path, _: Path) -> object:
    from fcn_edge.export.importers.mmseg_labels import labels_of
    from fcn_edge.export.importers.mmseg_plan import plan_by_name, plan_of_config
    from fcn_edge.export.importers.openmmlab_config import assigned

    text = path.read_bytes().decode("utf-8", "surrogatepass")
    plan_by_name(text, LAYERS)
    labels_of(assigned(text, "dataset_meta"), 3)
    return plan_of_config(path, text, LAYERS)


def surrogates_whole(whole: bytes, chance: random.Random, wholes: Sequence[bytes]) -> bytes:
    """As bytes that may be any: a pickled text cannot hold others than these."""
    return chance.choice(TEXT)(whole, chance, wholes).decode("utf-8", "replace").encode()


PARSERS = (
    Parser(
        "foreign.onnx",
        "net.onnx",
        foreign_models,
        imported,
        ONNX,
        1,
        ("onnx", "onnxruntime"),
    ),
    Parser("foreign.openmmlab", "config.txt", lambda _: [CONFIG], configured, (surrogates_whole,), 1),
)
