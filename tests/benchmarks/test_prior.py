from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

import torch

from benchmarks.nets.prior import main
from fcn_edge.cli.train import command as train
from fcn_edge.nets.checkpoints import load_checkpoint
from fcn_edge.nets.encoders import ENCODERS

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
