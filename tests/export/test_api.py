from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.onnx_header import spec_of_onnx
from fcn_edge.artifacts.spec import ModelSpec, Normalization
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.api import export_onnx
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.io.images import write_png
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.fcn import FCN


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained MobileNetV2 FCN-32s for the classes of CamVid."""
    labels = LABEL_SETS["camvid"]
    spec = ModelSpec(
        name="untrained",
        encoder="mobilenet_v2",
        decoder="fcn32s",
        stride=32,
        classes=labels.classes,
        palette=labels.palette,
        void=labels.void,
        size=(64, 96),
    )
    torch.manual_seed(3)
    net = FCN("mobilenet_v2", ("fcn32s",), len(labels.classes))
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    save_checkpoint(path, net, spec)
    return path


def test_writes_a_file_that_describes_itself(checkpoint: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    write_png(images / "a.png", np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8))
    told: list[str] = []
    compared: list[tuple[int, int]] = []
    made = export_onnx(
        str(checkpoint),
        str(tmp_path / "net.onnx"),
        size=(96, 64),
        name="mine",
        images=str(images),
        tell=told.append,
        comparing=lambda done, total: compared.append((done, total)),
    )
    spec = spec_of_onnx(tmp_path / "net.onnx")
    assert (spec.name, spec.size, spec.decoder) == ("mine", (96, 64), "fcn32s")
    assert (made.spec, made.parity.images) == (spec, 1)
    assert compared == [(0, 1), (1, 1)]
    assert told


def test_refuses_what_does_not_fit(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_onnx(checkpoint, tmp_path / "net.onnx", decoder="fcn8s")
    with pytest.raises(UsageError, match="nothing"):
        export_onnx(checkpoint, tmp_path / "net.onnx", classes="nothing")
    with pytest.raises(CheckpointError):
        export_onnx(tmp_path / "nothing.safetensors", tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


SMALL_MEAN, SMALL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (SMALL_MEAN, None, "mean is one of colors of 0 to 1"),
        (SMALL_MEAN, (1,), "mean is one of colors of 0 to 1"),
        ((104, 117, 123), SMALL_STD, "std is one of colors of 0 to 1"),
        ((1, 2), None, "mean is 1, 2; three finite numbers"),
        (None, (1, 0, 1), "std is 1, 0, 1"),
        ((float("nan"),), None, "mean is nan"),
    ],
)
def test_a_scale_that_is_not_clear_is_asked_for(checkpoint: Path, tmp_path: Path, mean, std, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        export_onnx(checkpoint, tmp_path / "net.onnx", mean=mean, std=std)


def test_normalization_is_on_the_scale_of_bytes(checkpoint: Path, tmp_path: Path, monkeypatch) -> None:
    from fcn_edge.export import onnx as module

    said: list[ImportOptions] = []

    def stop(*_: object, options: ImportOptions, **__: object) -> None:
        said.append(options)

    monkeypatch.setattr(module, "onnx_from_checkpoint", stop)
    for mean, std in ((SMALL_MEAN, SMALL_STD), ((0,), (255,)), ((104, 117, 123), (1,)), (None, (0.5,))):
        export_onnx(checkpoint, tmp_path / "net.onnx", mean=mean, std=std)
    assert said[0].mean == pytest.approx((123.675, 116.28, 103.53))
    assert said[0].std == pytest.approx((58.395, 57.12, 57.375))
    assert [(each.mean, each.std) for each in said[1:]] == [
        ((0, 0, 0), (255, 255, 255)),
        ((104, 117, 123), (1, 1, 1)),
        (None, (127.5, 127.5, 127.5)),
    ]


def test_in_another_order_each_color_keeps_its_mean() -> None:
    usual = Normalization()
    assert ImportOptions(color_order="bgr").normalization(usual).mean == usual.mean[::-1]
    assert ImportOptions(color_order="rgb").normalization(usual) == usual
    assert ImportOptions(color_order="bgr", mean=(1, 2, 3)).normalization(usual).mean == (1, 2, 3)
