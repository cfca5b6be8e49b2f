from __future__ import annotations

import pytest

from fcn_edge.export.importers.openmmlab_config import assigned

TEXT = """
_base_ = ['a.py', "b.py"]  # a comment
crop_size = (
    512,
    1024,
)
lr = 1e-2
find_unused_parameters = True
only = (3)
optimizer = dict(lr=float('inf'), type='SGD', paramwise_cfg=dict(custom_keys={'.conv_seg': dict(lr_mult=10.)}))
model = dict(
    backbone=dict(depth=50, dilations=(1, 1, 2, 4), frozen=-1, plugins=None, type='ResNetV1c'),
    mapping=dict({'0': 'a', 1: 'b'}),
    pretrained='it\\'s (not) here')
model_wrapper_cfg = dict(type='MMDistributedDataParallel')
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop_size", [512, 1024]),
        ("lr", 0.01),
        ("find_unused_parameters", True),
        ("only", 3),
        (
            "optimizer",
            {"lr": None, "type": "SGD", "paramwise_cfg": {"custom_keys": {".conv_seg": {"lr_mult": 10.0}}}},
        ),
        ("_base_", ["a.py", "b.py"]),
        ("model_wrapper_cfg", {"type": "MMDistributedDataParallel"}),
        ("missing", None),
        ("depth", None),
    ],
)
def test_values_are_read(name, value) -> None:
    assert assigned(TEXT, name) == value


def test_networks_are_read() -> None:
    model = assigned(TEXT, "model")
    assert model["backbone"] == {
        "depth": 50,
        "dilations": [1, 1, 2, 4],
        "frozen": -1,
        "plugins": None,
        "type": "ResNetV1c",
    }
    assert model["mapping"] == {"0": "a"}
    assert model["pretrained"].endswith("(not) here")


@pytest.mark.parametrize(
    "text",
    [
        "model = ",
        "model = dict(",
        "model = dict(a=1",
        "model = dict(a=)",
        "model = dict(a b)",
        "model = dict(a=1;b=2)",
        "model = dict(a='no end)",
        "model = [1 2]",
        "model = <class 'x'>",
        "model = )",
        "model = " + "(" * 100_000,
        "model = " + "[" * 100_000 + "]" * 100_000,
        "model = " + "dict(a=" * 100_000,
        "model = " + "9" * 100_000,
    ],
    ids=lambda text: text[:25],
)
def test_other_texts_give_nothing(text) -> None:
    assert assigned(text, "model") is None


def test_nothing_is_run(tmp_path) -> None:
    target = tmp_path / "made"
    assert assigned(f"model = dict(a=open({str(target)!r}, 'w').write('x'))", "model") is None
    assert not target.exists()
