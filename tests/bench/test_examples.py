"""Pieces where FCN-8s is right and FCN-32s is not, by the models that ship."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.bench.engines import ReadyEngine
from fcn_edge.bench.examples import examples_of, ladder_of
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.datasets import split_of
from fcn_edge.io.images import write_png
from fcn_edge.io.opencv import cv2

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

STREET = "synthetic://street?seed=700&size=240x320&frames=3&fps=0.5"


def pixels(png: str) -> Any:
    return cv2().imdecode(np.frombuffer(base64.b64decode(png), np.uint8), 1)


@pytest.fixture
def engine(tmp_path: Path, quick_builds: Any) -> Callable[..., ReadyEngine]:
    def engine(decoder: str, size: tuple[int, int] = (256, 320)) -> ReadyEngine:
        path = tmp_path / f"{decoder}-{size[0]}"
        built = build_engine(
            f"camvid-mobilenet_v2-{decoder}", BuildRequest(size=size, backend="onnxruntime"), output=path
        )
        return ReadyEngine(path, built.manifest, "")

    return engine


def test_the_ladder_is_the_fullest_and_then_the_largest(engine: Callable[..., ReadyEngine]) -> None:
    small = {decoder: engine(decoder, (64, 96)) for decoder in ("fcn32s", "fcn8s")}
    assert ladder_of({"a": small["fcn32s"]}) == {}
    large = {decoder: engine(decoder, (96, 96)) for decoder in ("fcn32s", "fcn8s")}
    mixed = {f"{size}{name}": one for size, group in (("s", small), ("l", large)) for name, one in group.items()}
    assert ladder_of(mixed) == large
    full = {**mixed, "s16": engine("fcn16s", (64, 96))}
    assert set(ladder_of(full)) == {"fcn32s", "fcn16s", "fcn8s"}


def test_what_is_shown_is_what_is_told(engine: Callable[..., ReadyEngine]) -> None:
    ladder = {decoder: engine(decoder) for decoder in ("fcn32s", "fcn8s")}
    examples = examples_of(ladder, split_of(STREET), count=2)
    assert examples
    for example in examples:
        assert "rendered scene" in example.source
        truth, image = pixels(example.truth), pixels(example.image)
        assert truth.shape == image.shape == (80, 80, 3)
        labeled = (truth != 0).any(axis=2)  # void is black, and no class is
        for decoder, mask in example.masks.items():
            right = (pixels(mask) == truth).all(axis=2)[labeled].mean()
            assert example.shares[decoder] == pytest.approx(right, abs=1e-4)
        assert example.shares["fcn8s"] > example.shares["fcn32s"] + 0.05
    assert len({example.source for example in examples}) == len(examples)


def test_classes_that_are_not_the_models_give_none(engine: Callable[..., ReadyEngine], tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / "mine" / "val" / folder).mkdir(parents=True)
    (tmp_path / "mine/dataset.toml").write_text('name = "mine"\nclasses = ["road", "sky"]\n')
    write_png(tmp_path / "mine/val/images/0.png", np.zeros((48, 64, 3), np.uint8))
    write_png(tmp_path / "mine/val/labels/0.png", np.zeros((48, 64), np.uint8))
    ladder = {decoder: engine(decoder, (64, 96)) for decoder in ("fcn32s", "fcn8s")}
    assert examples_of(ladder, split_of(tmp_path / "mine/val")) == ()
