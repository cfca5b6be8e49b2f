from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.cli.train import DECODERS, ENCODERS, command
from fcn_edge.nets import encoders
from fcn_edge.nets.checkpoints import load_checkpoint
from fcn_edge.training import train
from fcn_edge.training.options import TrainingOptions

Run = Callable[..., Any]
STREET = "synthetic://street?frames=4&size=64x96"
SMALL = ("--crop", "64x96", "--size", "64x96", "--batch", "2", "--workers", "0", "--threads", "1")


def arguments(output: Path, decoder: str = "fcn32s", *more: object, data: object = STREET) -> tuple[object, ...]:
    return (
        "train", "--encoder", "mobilenet_v2", "--decoder", decoder, "--data", data, "-o", output, *SMALL, *more
    )  # fmt: skip


def test_the_names_are_those_of_the_nets() -> None:
    assert set(ENCODERS) == set(encoders.ENCODERS)
    assert tuple(DECODER_STRIDES) == DECODERS


def test_the_defaults_are_those_of_the_library() -> None:
    required = ["--encoder", "vgg16", "--decoder", "fcn16s", "--data", "camvid", "-o", "net.safetensors"]
    values = command.make_context("train", required).params
    said = {name: value for name, value in values.items() if name in TrainingOptions.model_fields}
    assert len(said) > 15
    assert TrainingOptions(**said) == TrainingOptions(encoder="vgg16", decoder="fcn16s")


def test_a_training_without_data(fcn_edge: Run, tmp_path: Path) -> None:
    output = tmp_path / "new" / "net.safetensors"
    outcome = fcn_edge(*arguments(output, "fcn16s", "--epochs", "1"))
    assert outcome.code == 0
    lines = outcome.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["fcn32s epoch 1/1", "fcn16s epoch 1/1"]
    assert all("loss" in line and "val mIoU" in line and "(best" in line for line in lines)
    assert "Best rendered val mIoU of fcn16s" in outcome.out
    assert f"Next: fcn-edge export {output}" in outcome.out
    assert load_checkpoint(output)[1].arch == "mobilenet_v2-fcn16s"


def test_sizes_and_a_teacher_by_name(fcn_edge: Run, tmp_path: Path) -> None:
    words = ["train", "--encoder", "mobilenet_v2", "--decoder", "fcn32s", "--epochs", "1", "--batch", "2"]
    words += ["--workers", "0", "--threads", "1", "--teacher", "camvid-mobilenet_v2-fcn8s", "--bfloat16", "--mix", "1"]
    output = tmp_path / "net.safetensors"
    outcome = fcn_edge(*words, "--data", "synthetic://street?frames=4&size=70x120", "-o", output)
    assert outcome.code == 0, outcome.err
    assert outcome.err.splitlines()[0] == "Network size 96x128, crops of 96x128"
    spec = load_checkpoint(output)[1]
    assert spec.size == (96, 128)
    assert "taught by camvid-mobilenet_v2-fcn8s" in spec.provenance.recipe


def test_no_epochs_as_json(fcn_edge: Run, tmp_path: Path) -> None:
    output = tmp_path / "net.safetensors"
    outcome = fcn_edge(*arguments(output, "fcn8s", "--epochs", "0", "--json"))
    assert outcome.code == 0
    assert outcome.json["checkpoint"] == str(output)
    assert outcome.json["epochs"] == 0
    assert outcome.json["best_miou"] is None
    assert outcome.json["checkpoints"] == {"fcn8s": str(output)}
    assert outcome.json["log"] is None
    assert load_checkpoint(output)[0].decoder_names == ("fcn8s",)


def test_finer_stages_from_a_coarser_checkpoint(fcn_edge: Run, tmp_path: Path) -> None:
    coarse, fine = tmp_path / "coarse.safetensors", tmp_path / "fine.safetensors"
    assert fcn_edge(*arguments(coarse, "fcn32s", "--epochs", "0")).code == 0
    outcome = fcn_edge(*arguments(fine, "fcn16s", "--epochs", "1", "--init", coarse, "--json"))
    assert outcome.code == 0
    assert outcome.json["epochs"] == 1
    assert outcome.json["checkpoints"] == {"fcn16s": str(fine)}
    assert 0 <= outcome.json["best_miou"] <= 1
    with Path(outcome.json["log"]).open(newline="") as file:
        assert [row["stage"] for row in csv.DictReader(file)] == ["fcn16s"]


def test_the_mean_of_checkpoints(fcn_edge: Run, tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.safetensors" for seed in (1, 2)]
    for seed, path in enumerate(paths, 1):
        assert fcn_edge(*arguments(path, "fcn16s", "--epochs", "0", "--seed", seed)).code == 0
    first = (word for path in paths for word in ("--init", path))
    outcome = fcn_edge(*arguments(tmp_path / "mean.safetensors", "fcn16s", "--epochs", "0", *first))
    assert outcome.code == 0
    assert "mobilenet_v2-fcn16s weights from the mean of 2 checkpoints; 0 tensors are new" in outcome.err
    weights = [load_checkpoint(path)[0].state_dict() for path in (*paths, tmp_path / "mean.safetensors")]
    one, two, mean = (state["encoder.features.0.0.weight"] for state in weights)
    assert not one.equal(two)
    assert mean.allclose((one + two) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--epochs", "many"], "not of the form N|N,N,N"),
        (["--epochs", "-1"], "a number of at least 0 was expected"),
        (["--epochs", "1,2,3"], "3 numbers of epochs were given for 1 stage: fcn32s"),
        (["--scales", "1"], "scales"),
        (["--scales", "2,1"], "scales must be (smallest, largest)"),
        (["--batch", "4", "--micro-batch", "3"], "batch (4) must be a multiple of micro_batch (3)"),
        (["--batch", "0"], "batch: a number of at least 1 was expected"),
        (["--lr", "0"], "lr: a number above 0 was expected"),
        (["--color", "2"], "color: a number of at most 1 was expected"),
        (["--class-weight-offset", "1"], "class_weight_offset: a number above 1 was expected"),
        (["--crop", "60x96"], "not a multiple of 32"),
        (["--balance", "2"], "balance: a number of at most 1 was expected"),
        (["--crop", "32x32"], "crop must be larger than 32x32"),
        (["--mix", "1.5"], "mix: a number of at most 1 was expected"),
        (["--teacher", "camvid-mobilenet_v2-fcn8"], "There is no teacher camvid-mobilenet_v2-fcn8: a shipped name"),
        (["--dice", "-1"], "dice: a number of at least 0 was expected"),
        (["--hardest", "0"], "hardest: a number above 0 was expected"),
        (["--unlabeled", "/"], "Unlabeled images teach nothing by themselves"),
        (["--teacher-weight", "0.7"], "teacher_weight does nothing without a teacher"),
        (["--temperature", "4"], "temperature does nothing without a teacher"),
        (["--temperature", "inf"], "temperature: a finite number was expected"),
        (["--lr", "inf"], "lr: a finite number was expected"),
        (["--dice", "nan"], "dice: a "),
        (["--scales", "0.5,inf"], "a finite number was expected"),
        (["--teacher-weight", "2"], "teacher_weight: a number of at most 1 was expected"),
        (["--freeze", "6"], "freeze: a number of at most 5 was expected"),
        (["--freeze", "1"], "A training from scratch has no blocks to freeze"),
        (["--ema-decay", "1"], "ema_decay: a number below 1 was expected"),
        (["--rendered", "0.5"], "The data is rendered already"),
        (["--init", "absent.npz"], "does not exist"),
        (["-o", "net.pth"], "does not end in .safetensors"),
        (["-o", "/dev/null/net.safetensors"], "is a device"),
        (["--encoder", "alexnet"], "'alexnet' is not one of"),
    ],
)
def test_options_that_make_no_sense(fcn_edge: Run, tmp_path: Path, options: list[str], says: str) -> None:
    outcome = fcn_edge(*arguments(tmp_path / "net.safetensors"), *options)
    assert outcome.code == 2
    assert says in outcome.err
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_there(fcn_edge: Run, tmp_path: Path) -> None:
    outcome = fcn_edge(*arguments(tmp_path / "net.safetensors", data=tmp_path / "absent"))
    assert outcome.code == 3
    assert "no data directory" in outcome.err


@pytest.mark.parametrize("suffix", [".npz", ".pth", ".safetensors"])
def test_weights_that_are_none(fcn_edge: Run, tmp_path: Path, suffix: str) -> None:
    weights = tmp_path / f"weights{suffix}"
    weights.write_bytes(b"not weights at all")
    outcome = fcn_edge(*arguments(tmp_path / "net.safetensors", "fcn32s", "--init", weights))
    assert outcome.code == 3
    assert str(weights) in outcome.err


def test_weights_of_another_encoder(fcn_edge: Run, tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "weights.pth")
    outcome = fcn_edge(*arguments(tmp_path / "net.safetensors", "fcn32s", "--init", tmp_path / "weights.pth"))
    assert outcome.code == 3
    assert "does not hold the weights of MobileNetV2" in outcome.err


def test_ctrl_c_says_how_to_go_on(fcn_edge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupted)
    outcome = fcn_edge(*arguments(tmp_path / "net.safetensors"))
    assert outcome.code == 130
    assert "The same command goes on from the last saved state." in outcome.err


def test_without_torch_the_extra_is_named(fcn_edge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    outcome = fcn_edge(*arguments(tmp_path / "net.safetensors"))
    assert outcome.code == 6
    assert "pip install 'fcn_edge[export]'" in outcome.err
