from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from benchmarks.nets import folds
from benchmarks.nets.tables import variants_table
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.cli.train import command as train
from fcn_edge.datasets import splits_of
from fcn_edge.nets.encoders import ENCODERS

from ..thin_encoders import ShortMobileNetV2
from .tiny_data import write_tiny


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "data", {"train": ("a1", "a2", "a3", "b1", "b2"), "val": ("c1",)})


def test_a_fold_is_train_without_the_drive_that_judges(data: Path, tmp_path: Path) -> None:
    fold = folds.fold_of(data, "b", tmp_path / "folds" / "b")
    splits = splits_of(fold)
    assert [sample.name for sample in splits["train"]] == ["a1", "a2", "a3"]
    assert [sample.name for sample in splits["val"]] == ["b1", "b2"], "val of the data set has no part in it"
    assert (splits["val"][0].labels() == splits_of(data)["train"][3].labels()).all()
    assert folds.fold_of(data, "b", fold) == fold
    for drive in ("x", ""):
        with pytest.raises(click.UsageError, match="of 5 frames"):
            folds.fold_of(data, drive, tmp_path / "folds" / "other")


def test_each_variant_is_trained_once_and_judged_by_its_last_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        """In this process, where the encoder is a thin one."""
        commands.append(command)
        assert command[1:4] == ["-m", "fcn_edge", "train"]
        outcome = CliRunner().invoke(train, command[4:])
        return SimpleNamespace(returncode=outcome.exit_code)

    monkeypatch.setitem(ENCODERS, "mobilenet_v2", ShortMobileNetV2)
    monkeypatch.setenv("FCN_EDGE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(folds, "subprocess", SimpleNamespace(run=run))
    output = tmp_path / "variants.json"
    words = ["plain one", "--data", data, "--fold", "b", "--why", "to begin with", "-o", output, "--"]
    words += ["--encoder", "mobilenet_v2", "--epochs", 2, "--size", "32x64", "--batch", 2, "--workers", 0]
    for _ in range(2):
        done = CliRunner().invoke(folds.main, list(map(str, words)))
        assert done.exit_code == 0, done.output
    assert len(commands) == 1, "what stands in the file is not done again"
    (row,) = json.loads(output.read_text())["rows"]
    assert (row["variant"], row["fold"], row["why"]) == ("plain one", "b", "to begin with")
    assert row["options"] == "--encoder mobilenet_v2 --epochs 2 --size 32x64 --batch 2 --workers 0"
    assert list(row["miou"]) == ["fcn32s", "fcn16s", "fcn8s"]
    assert row["per_class"].keys() == set(LABEL_SETS["camvid"].classes)
    (log,) = (tmp_path / "runs/folds").glob("*.csv")
    assert float(log.read_text().splitlines()[-1].split(",")[5]) == pytest.approx(row["miou"]["fcn8s"] / 100, abs=1e-4)
    assert "| plain one | b |" in variants_table([row])
    words[words.index("--epochs") + 1] = 0
    assert CliRunner().invoke(folds.main, ["other", *map(str, words[1:]), "--color", "9"]).exit_code != 0
    assert len(json.loads(output.read_text())["rows"]) == 1, "a training that failed leaves no row"
    words[0], words[words.index("--epochs") + 1] = "other", 1
    assert CliRunner().invoke(folds.main, list(map(str, words))).exit_code == 0
    mean = ["mean", "--data", data, "--fold", "b", *("--mean-of", "plain one"), "-o", output, "--"]
    mean += ["--encoder", "mobilenet_v2", "--size", "32x64"]
    done = CliRunner().invoke(folds.main, list(map(str, mean)))
    assert done.exit_code == 0, done.output
    averaged = json.loads(output.read_text())["rows"][2]
    assert averaged["mean_of"] == {"plain one": row["sha256"]}
    assert averaged["options"] == "--encoder mobilenet_v2 --size 32x64 (mean of plain one)"
    assert {name: averaged[name] for name in ("miou", "per_class", "seconds")} == {
        name: row[name] for name in ("miou", "per_class", "seconds")
    }, "of a single network"
    mean[mean.index("-o") : mean.index("-o")] = ["--mean-of", "other"]
    assert CliRunner().invoke(folds.main, list(map(str, mean))).exit_code == 0
    rows = json.loads(output.read_text())["rows"]
    assert list(rows[3]["mean_of"].values()) == [row["sha256"] for row in rows[:2]]
    for command, name in zip(commands[-3:], (".fcn32s", ".fcn16s", ""), strict=True):
        starts = [Path(command[at + 1]).name for at, word in enumerate(command) if word == "--init"]
        assert starts == [f"b-plain-one{name}.safetensors", f"b-other{name}.safetensors"]
        assert command[command.index("--epochs") + 1] == "0"
    mean[mean.index("other")] = "absent"
    assert "absent was not trained on b." in CliRunner().invoke(folds.main, list(map(str, mean))).output
    words[0], words[words.index("--epochs") + 1] = "staged", "1,1,2"
    done = CliRunner().invoke(folds.main, [*map(str, words), "--stages", "staged"])
    assert done.exit_code == 0, done.output
    staged = json.loads(output.read_text())["rows"][4]
    assert list(staged["miou"]) == ["fcn32s", "fcn16s", "fcn8s"]
    log = (tmp_path / "runs/folds/b-staged.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in log[1:]] == [
        ["fcn32s", "1"],
        ["fcn16s", "1"],
        ["fcn8s", "1"],
        ["fcn8s", "2"],
    ]
    settles = CliRunner().invoke(folds.main, [*map(str, words), "--settle", "8"])
    assert "--settle would let the drive that judges choose the epoch." in settles.output


def test_an_epoch_of_several_decoders_is_counted_once(tmp_path: Path) -> None:
    log = tmp_path / "net.csv"
    log.write_text("stage,epoch,decoder,seconds\na+b,1,a,3.5\na+b,1,b,3.5\na+b,2,a,4\na+b,2,b,4\nc,1,c,1\n")
    assert folds._seconds(log) == 8.5


def test_rows_that_are_added_at_once_all_stand_there(tmp_path: Path) -> None:
    output = tmp_path / "variants.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: folds._add({"variant": number}, output), range(64)))
    assert sorted(row["variant"] for row in json.loads(output.read_text())["rows"]) == list(range(64))
    assert list(tmp_path.iterdir()) == [output]
