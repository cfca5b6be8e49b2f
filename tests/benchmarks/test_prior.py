from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

import torch

from benchmarks.nets.prior import main
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import ModelSpec, Provenance
from fcn_edge.cli.train import command as train
from fcn_edge.nets.checkpoints import load_checkpoint, save_checkpoint
from fcn_edge.nets.encoders import ENCODERS
from fcn_edge.nets.fcn import FCN

from ..thin_encoders import ShortMobileNetV2
from .tiny_data import write_tiny


def test_is_what_a_training_with_that_strength_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "mobilenet_v2", ShortMobileNetV2)
    monkeypatch.setenv("FCN_EDGE_RUNS", str(tmp_path / "runs"))
    data = write_tiny(tmp_path / "data", {"train": ("a", "b", "c"), "val": ("d",)})
    words = ["--encoder", "mobilenet_v2", "--decoder", "fcn16s", "--data", str(data), "--stages", "at-once"]
    words += ["--epochs", "1", "--size", "32x64", "--batch", "2", "--workers", "0", "--seed", "3"]
    for strength in ("0.75", "0.25"):
        output = tmp_path / f"{strength}.safetensors"
        trained = CliRunner().invoke(train, [*words, "--prior-correction", strength, "-o", str(output)])
        assert trained.exit_code == 0, trained.output

    output = tmp_path / "other.safetensors"
    done = CliRunner().invoke(
        main, [str(tmp_path / "0.75.safetensors"), "--data", str(data), "--strength", "0.25", "-o", str(output)]
    )
    assert done.exit_code == 0, done.output
    for suffix in ("", ".fcn32s"):
        before, _ = load_checkpoint(tmp_path / f"0.75{suffix}.safetensors")
        expected, trained_spec = load_checkpoint(tmp_path / f"0.25{suffix}.safetensors")
        made, spec = load_checkpoint(tmp_path / f"other{suffix}.safetensors")
        moved = 0
        for name, value in made.state_dict().items():
            assert torch.allclose(value, expected.state_dict()[name], atol=1e-6), name
            moved += not torch.equal(value, before.state_dict()[name])
        assert moved == 1, "one bias, and nothing else"
        assert spec == trained_spec
        assert json.loads(spec.provenance.recipe[-1])["prior_correction"] == 0.25
    assert output.with_suffix(".csv").read_bytes() == (tmp_path / "0.75.csv").read_bytes()


def test_refuses_what_its_arithmetic_is_not_true_of(tmp_path: Path) -> None:
    data = write_tiny(tmp_path / "data", {"train": ("a",), "val": ("b",)})
    labels = LABEL_SETS["camvid"]
    settings = '{"class_weight_offset":1.05,"prior_correction":0.5}'
    told = {
        ("a training", "taught by vgg16", settings): "was taught by another network",
        ("a training", settings): "was trained on other train, not on tiny train",
        (): "does not say how it was trained",
    }
    for recipe, sentence in told.items():
        spec = ModelSpec(
            name="x", encoder="mobilenet_v2", decoder="fcn32s", stride=32, size=(32, 64), classes=labels.classes,
            palette=labels.palette, provenance=Provenance(recipe=recipe, trained_on=("other train",)),
        )  # fmt: skip
        save_checkpoint(tmp_path / "net.safetensors", FCN("mobilenet_v2", ("fcn32s",), 11), spec)
        (tmp_path / "net.csv").touch()
        words = [
            str(tmp_path / "net.safetensors"),
            "--data",
            str(data),
            "--strength",
            "0",
            "-o",
            str(tmp_path / "o.st"),
        ]
        assert sentence in " ".join(CliRunner().invoke(main, words).output.split())
    assert not (tmp_path / "o.st").exists()
