from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from benchmarks.nets.small_sets import main
from benchmarks.nets.tables import small_sets, small_sets_table
from fcn_edge.nets.encoders import ENCODERS, encoder

from ..thin_encoders import ShortMobileNetV2
from .tiny_data import write_tiny


def test_scores_each_training_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "mobilenet_v2", ShortMobileNetV2)
    data = write_tiny(tmp_path / "data", {"train": ("a1", "a2", "a3", "a4", "b1"), "val": ("c1",)})
    output = tmp_path / "small_sets.json"
    words = ["--data", data, "--drive", "a", "--frames", 2, "--epochs", 2, "--crop", "32x64", "--size", "32x64"]
    words += ["--threads", 1, "-o", output]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    result = json.loads(output.read_text())
    (row,) = result["rows"]
    last = small_sets_table(small_sets(output)).splitlines()[-1]
    scores = [100 * row["val_miou"][kind]["fcn8s"] for kind in ("raw", "rising", "fixed")]
    assert last.split(" | ")[2:] == [str(row["steps"]), f"{scores[0]:.1f}", f"{scores[1]:.1f}", f"{scores[2]:.1f} |"]
    assert (row["frames"], row["epochs"], row["steps"]) == (2, 2, 2)
    assert row["val_miou"].keys() == {"raw", "rising", "fixed"}
    for scores in row["val_miou"].values():
        assert all(0 <= scores[name] <= 1 for name in ("fcn32s", "fcn16s", "fcn8s"))
    assert result["machine"]["cpu"]["instruction_set"]
    assert (row["init"], row["seed"], row["versions"]["torch"]) == (None, 0, version("torch"))
    assert row["machine"]["threads"] == 1
    before = output.read_text()
    assert CliRunner().invoke(main, list(map(str, words))).exit_code == 0
    assert output.read_text() == before, "what stands in the file is not done again"

    row["versions"]["torch"] = "1.0"
    row["machine"]["cpu"] = "another"
    output.write_text(json.dumps(result))
    init = tmp_path / "init.npz"
    np.savez(init, **{key: value.numpy() for key, value in encoder("mobilenet_v2").state_dict().items()})
    assert CliRunner().invoke(main, list(map(str, words))).exit_code == 0
    assert CliRunner().invoke(main, [*map(str, words), "--init", str(init)]).exit_code == 0
    of_other, again, from_init = json.loads(output.read_text())["rows"]
    assert of_other == row, "it stays as it was measured"
    assert again["val_miou"] == row["val_miou"], "the same training on the same machine"
    assert from_init["init"] == hashlib.sha256(init.read_bytes()).hexdigest()
    too_many = CliRunner().invoke(main, [*map(str, words), "--frames", "5"])
    assert "a has 4 frames, not 5" in too_many.output
    none = CliRunner().invoke(main, [*map(str, words), "--epochs", "0"])
    assert "0 is not in the range x>=1" in none.output
