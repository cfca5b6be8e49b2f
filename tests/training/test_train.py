from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets import splits_of
from fcn_edge.datasets.info import toml_of_info
from fcn_edge.errors import CheckpointError, DatasetError, UsageError
from fcn_edge.io.images import read_labels, write_png
from fcn_edge.metrics.confusion import ConfusionMatrix
from fcn_edge.nets.checkpoints import load_checkpoint, save_checkpoint
from fcn_edge.nets.encoders import encoder
from fcn_edge.nets.fcn import FCN
from fcn_edge.training import stage as stage_module
from fcn_edge.training.options import TrainingOptions
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.runs import PREVIOUS_FILE, STATE_FILE, Run
from fcn_edge.training.stage import EpochLog
from fcn_edge.training.train import TrainResult, train
from fcn_edge.training.trainset import Extras

SIZE = (64, 96)
HEADER = "stage,epoch,loss,lr,decoder,val_miou,seconds,finished\n"


class Killed(Exception):
    """As if the process had been killed."""


class Display:
    """Remembers what it was told, and may end the training as a kill would.

    Args:
        die_after: Epochs after which it raises; None never does.
        die_in_epoch: Whether to raise in the middle of the next epoch instead of at its start.
    """

    def __init__(self, die_after: int | None = None, die_in_epoch: bool = False) -> None:
        self.die_after, self.die_in_epoch = die_after, die_in_epoch
        self.logs: list[EpochLog] = []
        self.bests: list[float] = []
        self.notes: list[str] = []
        self.everything: list[str] = []
        self.moves: list[tuple[int, int]] = []

    @contextmanager
    def epoch(self, stage: str, epoch: int, epochs: int) -> Iterator[Callable[[int, int, float], None]]:
        dying = len(self.logs) == self.die_after
        if dying and not self.die_in_epoch:
            raise Killed

        def moved(done: int, total: int, loss: float) -> None:
            assert np.isfinite(loss)
            self.moves.append((done, total))
            if dying and done == 2:
                raise Killed

        yield moved

    def finished(self, log: EpochLog, best: float) -> None:
        self.logs.append(log)
        self.bests.append(best)

    def note(self, message: str) -> None:
        self.everything.append(message)
        # true of all the small data sets here
        if not any(part in message for part in ("its mIoU changes by points", "hardly an image of")):
            self.notes.append(message)


def recipe_of(*stages: Stage, **settings: Any) -> Recipe:
    defaults: dict[str, Any] = {"batch": 2, "micro_batch": 1, "crop": SIZE, "size": SIZE, "seed": 3}
    return Recipe(encoder="mobilenet_v2", stages=stages, **{**defaults, **settings})


TWO_STAGES = (
    Stage(decoders=("fcn32s",), epochs=2, lr=1e-3),
    Stage(decoders=("fcn16s",), epochs=1, lr=5e-4, freeze_batchnorm=True),
)


ONE = Stage(decoders=("fcn32s",), epochs=1, lr=1e-3)


def trained(recipe: Recipe, data: Path | str, output: Path, display: Display | None = None, **how: Any) -> TrainResult:
    return train(recipe, data, output, display=display or Display(), **how)


def log_of(output: Path) -> list[dict[str, str]]:
    """The log without what depends on the time."""
    with output.with_suffix(".csv").open(newline="") as file:
        return [{key: row[key] for key in row if key not in ("seconds", "finished")} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def staged(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Path, Display]:
    """A whole training in two stages."""
    output, display = tmp_path_factory.mktemp("staged") / "net.safetensors", Display()
    return trained(recipe_of(*TWO_STAGES), data, output, display), output, display


def test_each_stage_leaves_its_checkpoint(staged: tuple[TrainResult, Path, Display]) -> None:
    result, output, _ = staged
    assert result.checkpoints == {"fcn32s": output.with_suffix(".fcn32s.safetensors"), "fcn16s": output}
    assert result.epochs == 3
    for name, path in result.checkpoints.items():
        net, spec = load_checkpoint(path)
        assert net.decoder_names == (name,)
        assert (spec.encoder, spec.decoder, spec.size) == ("mobilenet_v2", name, SIZE)
        assert (spec.classes, spec.void) == (LABEL_SETS["camvid"].classes, 11)
        assert spec.provenance.trained_on == ("tiny train",)
        assert any(line.startswith("fcn32s: 2 epochs") for line in spec.provenance.recipe)
    leftovers = {path.name for path in output.parent.iterdir()}
    assert leftovers == {"net.safetensors", "net.fcn32s.safetensors", "net.csv"}


def test_a_later_stage_starts_from_the_one_before(staged: tuple[TrainResult, Path, Display]) -> None:
    result, _, _ = staged
    coarse = load_checkpoint(result.checkpoints["fcn32s"])[0].state_dict()
    fine = load_checkpoint(result.checkpoints["fcn16s"])[0].state_dict()
    statistics = [key for key in fine if "running_" in key]
    assert statistics
    assert all(torch.equal(coarse[key], fine[key]) for key in statistics), "BatchNorm was frozen"
    key = "encoder.features.0.0.weight"
    assert not torch.equal(coarse[key], fine[key])
    assert torch.allclose(coarse[key], fine[key], atol=0.02)
    assert fine["decoders.fcn16s.score16.weight"].abs().max() > 0, "the new skip has learned something"


def test_the_log_has_a_line_an_epoch(staged: tuple[TrainResult, Path, Display]) -> None:
    _, output, display = staged
    rows = log_of(output)
    assert [(row["stage"], row["epoch"], row["decoder"]) for row in rows] == [
        ("fcn32s", "1", "fcn32s"),
        ("fcn32s", "2", "fcn32s"),
        ("fcn16s", "1", "fcn16s"),
    ]
    for row, log in zip(rows, display.logs, strict=True):
        assert float(row["loss"]) == pytest.approx(log.loss, abs=1e-5)
        assert float(row["val_miou"]) == pytest.approx(log.miou[log.stage], abs=1e-5)
        assert 0 < float(row["lr"]) <= 1e-3


def test_progress_counts_the_steps(staged: tuple[TrainResult, Path, Display]) -> None:
    assert staged[2].moves == [(1, 3), (2, 3), (3, 3)] * 3


def test_the_result_is_the_best_score_of_the_last_stage(staged: tuple[TrainResult, Path, Display]) -> None:
    result, _, display = staged
    assert result.best_miou == display.bests[-1] == display.logs[-1].miou["fcn16s"]


@pytest.mark.parametrize(
    ("epochs", "inside", "save_every", "where"),
    [
        (1, True, 0.0, "after step 1 of 3 of epoch 2 of stage fcn32s"),
        (2, False, 3600.0, "after epoch 2 of stage fcn32s"),
    ],
)
def test_a_killed_training_goes_on_bit_for_bit(
    staged: tuple[TrainResult, Path, Display],
    data: Path,
    tmp_path: Path,
    runs: Path,
    epochs: int,
    inside: bool,
    save_every: float,
    where: str,
) -> None:
    recipe = recipe_of(*TWO_STAGES)
    killed = tmp_path / "killed.safetensors"
    with pytest.raises(Killed):
        trained(recipe, data, killed, Display(die_after=epochs, die_in_epoch=inside), save_every=save_every)
    output, display = tmp_path / "elsewhere" / "net.safetensors", Display()
    result = trained(recipe, data, output, display)
    (note,) = display.notes
    assert note.startswith(f"going on {where}; remove {runs}/")
    assert len(display.logs) == 3 - epochs, "only what was missing was trained"
    expected, expected_output, _ = staged
    assert (result.epochs, result.best_miou) == (expected.epochs, expected.best_miou)
    assert log_of(output) == log_of(expected_output)
    for name, path in result.checkpoints.items():
        assert path.read_bytes() == expected.checkpoints[name].read_bytes(), name
    assert not list(runs.iterdir()), "the state is gone"


def test_within_an_epoch_a_state_is_saved_when_it_is_time_and_not_before(
    data: Path, tmp_path: Path, runs: Path
) -> None:
    with pytest.raises(Killed):
        trained(
            recipe_of(ONE),
            data,
            tmp_path / "net.safetensors",
            Display(die_after=0, die_in_epoch=True),
            save_every=3600.0,
        )
    assert not list(runs.glob(f"*/{STATE_FILE}"))


def test_a_training_with_a_damaged_state_goes_on_from_the_one_before(data: Path, tmp_path: Path, runs: Path) -> None:
    output, display = tmp_path / "net.safetensors", Display()
    with pytest.raises(Killed):
        trained(recipe_of(ONE), data, output, Display(die_after=0, die_in_epoch=True), save_every=0.0)
    (state,) = runs.glob(f"*/{STATE_FILE}")
    shutil.copyfile(state, state.with_name(PREVIOUS_FILE))
    state.write_bytes(state.read_bytes()[:1000])
    trained(recipe_of(ONE), data, output, display)
    assert display.notes[0] == "the newest state of this training is damaged; the one before it is taken"
    assert display.notes[1].startswith("going on after step 1 of 3 of epoch 1 of stage fcn32s")
    assert display.moves == [(2, 3), (3, 3)]


def test_the_number_of_reading_processes_changes_nothing(
    staged: tuple[TrainResult, Path, Display], data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "net.safetensors"
    with pytest.raises(Killed):
        trained(recipe_of(*TWO_STAGES), data, output, Display(die_after=1), workers=2)
    assert log_of(output) == log_of(staged[1])[:1]


def test_a_later_stage_goes_on_with_the_checkpoints_of_the_earlier(data: Path, tmp_path: Path) -> None:
    stages = (TWO_STAGES[0], Stage(decoders=("fcn16s",), epochs=2, lr=5e-4))
    with pytest.raises(Killed):
        trained(recipe_of(*stages), data, tmp_path / "killed.safetensors", Display(die_after=3))
    coarse = (tmp_path / "killed.fcn32s.safetensors").read_bytes()
    (tmp_path / "killed.fcn32s.safetensors").unlink()
    display = Display()
    result = trained(recipe_of(*stages), data, tmp_path / "net.safetensors", display)
    assert [log.stage for log in display.logs] == ["fcn16s"]
    assert result.checkpoints["fcn32s"].read_bytes() == coarse


def test_a_state_whose_tensors_do_not_fit(data: Path, tmp_path: Path, runs: Path) -> None:
    recipe = recipe_of(*TWO_STAGES)
    splits = splits_of(data)
    run = Run(recipe, splits["train"], splits["val"], (), Extras())
    with run.held():
        run.save({"ran": [], "log": [], "trainer": {"epoch": 1}})
    with pytest.raises(CheckpointError, match="does not fit its network") as caught:
        trained(recipe, data, tmp_path / "net.safetensors")
    assert caught.value.fix == f"Remove {run.folder} to start the training anew."


def test_all_at_once(data: Path, tmp_path: Path) -> None:
    output, display = tmp_path / "net.safetensors", Display()
    decoders = ("fcn32s", "fcn16s", "fcn8s")
    recipe = recipe_of(Stage(decoders=decoders, epochs=1, lr=1e-3), schedule="poly")
    result = trained(recipe, data, output, display)
    assert result.checkpoints["fcn8s"] == output
    nets = {name: load_checkpoint(path)[0].state_dict() for name, path in result.checkpoints.items()}
    assert set(nets) == set(decoders)
    for key, value in nets["fcn8s"].items():
        if key.startswith("encoder."):
            assert torch.equal(value, nets["fcn32s"][key]), "they share one encoder"
    assert set(display.logs[0].miou) == set(decoders)
    assert [row["decoder"] for row in log_of(output)] == list(decoders)
    assert result.best_miou == display.logs[0].miou["fcn8s"]


def test_the_best_epoch_is_kept(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights: list[torch.Tensor] = []
    rights = iter([30, 90, 50])

    def scored(net: FCN, *_: object) -> dict[str, ConfusionMatrix]:
        weights.append(net.state_dict()["encoder.features.0.0.weight"].clone())
        matrix = ConfusionMatrix(11)
        right = next(rights)
        matrix.counts[0, 0] = matrix.counts[1, 1] = right
        matrix.counts[0, 1] = matrix.counts[1, 0] = 100 - right
        return {"fcn32s": matrix}

    monkeypatch.setattr(stage_module, "confusion_of", scored)
    output, display = tmp_path / "net.safetensors", Display()
    result = trained(recipe_of(Stage(decoders=("fcn32s",), epochs=3, lr=1e-3)), data, output, display)
    kept = load_checkpoint(output)[0].state_dict()["encoder.features.0.0.weight"]
    assert [torch.equal(kept, each) for each in weights] == [False, True, False]
    assert result.best_miou == max(display.bests) == display.bests[1] == display.bests[2]


@pytest.mark.parametrize(("settle", "epochs"), [(0, 2), (1, 3), (8, 5)])
def test_a_stage_settles_until_val_stops_rising(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle: int, epochs: int
) -> None:
    rights = iter([30, 40, 50, 50, 50, 99])

    def scored(net: FCN, *_: object) -> dict[str, ConfusionMatrix]:
        right, matrix = next(rights), ConfusionMatrix(11)
        matrix.counts[0, 0] = matrix.counts[1, 1] = right
        matrix.counts[0, 1] = matrix.counts[1, 0] = 100 - right
        return {"fcn32s": matrix}

    monkeypatch.setattr(stage_module, "confusion_of", scored)
    display = Display()
    recipe = recipe_of(Stage(decoders=("fcn32s",), epochs=2, lr=1e-3), settle=settle, patience=2)
    result = trained(recipe, data, tmp_path / "net.safetensors", display)
    assert result.epochs == epochs == len(display.logs)
    rates = [log.lr for log in display.logs]
    assert rates[1:] == [pytest.approx(1e-3 * stage_module.LAST_LR)] * (epochs - 1), "it settles at the last rate"
    assert all(log.miou for log in display.logs)
    assert f"fcn32s: {epochs} epochs" in load_checkpoint(tmp_path / "net.safetensors")[1].provenance.recipe[0]


def test_epochs_between_validations(data: Path, tmp_path: Path) -> None:
    output, display = tmp_path / "net.safetensors", Display()
    stage = Stage(decoders=("fcn32s",), epochs=3, lr=1e-3)
    trained(recipe_of(stage, validate_every=2), data, output, display)
    assert [bool(log.miou) for log in display.logs] == [False, True, True], "the last is always validated"
    assert [bool(row["val_miou"]) for row in log_of(output)] == [False, True, True]


def test_a_net_learns_from_another_and_from_images_without_labels(
    staged: tuple[TrainResult, Path, Display], data: Path, tmp_path: Path
) -> None:
    teacher = staged[0].checkpoints["fcn16s"]
    nets = {}
    for name, how in {
        "alone": {},
        "taught": {"teachers": [teacher]},
        "more": {"teachers": [teacher], "unlabeled": data / "val/images"},
    }.items():
        output, display = tmp_path / f"{name}.safetensors", Display()
        trained(recipe_of(ONE), data, output, display, **how)
        nets[name], spec = load_checkpoint(output)
        assert len(display.moves) == (4 if name == "more" else 3)
        assert ("taught by net" in spec.provenance.recipe) is (name != "alone")
        assert ("unlabeled images" in spec.provenance.trained_on) is (name == "more")
    weights = [net.state_dict()["decoders.fcn32s.score32.weight"] for net in nets.values()]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])


def test_images_without_labels_need_a_teacher(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="teach nothing by themselves"):
        trained(recipe_of(ONE), data, tmp_path / "net.safetensors", unlabeled=data / "val/images")


@pytest.mark.parametrize("blocks", [2, 5])
def test_frozen_blocks_keep_their_weights(data: Path, tmp_path: Path, blocks: int) -> None:
    torch.manual_seed(0)
    source = encoder("mobilenet_v2")
    np.savez(tmp_path / "imagenet.npz", **{key: value.numpy() for key, value in source.state_dict().items()})
    trained(recipe_of(ONE, freeze=blocks), data, tmp_path / "net.safetensors", init=tmp_path / "imagenet.npz")
    after = load_checkpoint(tmp_path / "net.safetensors")[0].encoder.state_dict()
    prefixes = tuple(part for block in source.blocks[:blocks] for part in block)
    for key, before in source.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        assert torch.equal(before, after[key]) is key.startswith(prefixes), key


def test_frozen_blocks_need_weights(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="from scratch has no blocks to freeze"):
        trained(recipe_of(ONE, freeze=1), data, tmp_path / "net.safetensors")


def test_no_epochs_write_the_initialized_net(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = encoder("mobilenet_v2").state_dict()
    torch.save({"ema": {key: value + 1 for key, value in source.items()}, "model": source}, tmp_path / "both.pth")
    output, display = tmp_path / "net.safetensors", Display()
    stage = Stage(decoders=("fcn8s",), epochs=0, lr=1e-3)
    result = trained(recipe_of(stage), data, output, display, init=tmp_path / "both.pth")
    assert display.notes[0] == f"encoder weights from {tmp_path / 'both.pth'}"
    assert display.notes[1].startswith("It also holds ema, of the same layers, which was not taken")
    assert (result.epochs, result.best_miou) == (0, None)
    net = load_checkpoint(output)[0]
    for key, value in net.encoder.state_dict().items():
        assert torch.equal(value, source[key]), key
    skips = net.state_dict()
    assert not skips["decoders.fcn8s.score8.weight"].any(), "skip scores start at zero"
    assert skips["decoders.fcn8s.score32.weight"].any()
    assert not output.with_suffix(".csv").exists()
    origin = load_checkpoint(output)[1].provenance
    assert (origin.trained_on, origin.recipe) == ((), ()), "it saw no image"


def test_a_refused_training_leaves_the_log_of_the_one_before(data: Path, tmp_path: Path) -> None:
    output, log = tmp_path / "net.safetensors", tmp_path / "net.csv"
    log.write_text(HEADER + "of a finished training")
    (tmp_path / "weights.npz").write_bytes(b"not weights at all")
    with pytest.raises(CheckpointError):
        trained(recipe_of(ONE), data, output, init=tmp_path / "weights.npz")
    assert log.read_text() == HEADER + "of a finished training"
    trained(recipe_of(Stage(decoders=("fcn32s",), epochs=0, lr=1e-3)), data, output)
    assert not log.exists(), "no epoch led to this network"


def test_a_file_that_is_no_log_is_not_replaced(data: Path, tmp_path: Path) -> None:
    """Nobody named it: it lies where the log of ``results.safetensors`` would."""
    (tmp_path / "results.csv").write_text("measured,by,hand\n")
    for stage in (ONE, Stage(decoders=("fcn32s",), epochs=0, lr=1e-3)):
        with pytest.raises(UsageError, match=r"results\.csv is there and is no log of a training"):
            trained(recipe_of(stage), data, tmp_path / "results.safetensors")
    assert (tmp_path / "results.csv").read_text() == "measured,by,hand\n"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["results.csv"]


def test_what_is_read_is_not_written_over(data: Path, tmp_path: Path) -> None:
    coarse = tmp_path / "net.fcn32s.safetensors"
    coarse.write_bytes(b"weights")
    (tmp_path / "link.safetensors").symlink_to(coarse.name)
    stages = [Stage(decoders=(name,), epochs=0, lr=1e-3) for name in ("fcn32s", "fcn16s")]
    with pytest.raises(UsageError, match="is the file of first weights and would be replaced by the checkpoint"):
        trained(recipe_of(*stages), data, tmp_path / "net.safetensors", init=coarse)
    with pytest.raises(UsageError, match="is the file of first weights and would be replaced by the checkpoint"):
        trained(recipe_of(ONE), data, tmp_path / "link.safetensors", init=coarse)
    with pytest.raises(UsageError, match="is the teacher 1 and would be replaced"):
        trained(recipe_of(ONE), data, coarse, teachers=[coarse])
    assert coarse.read_bytes() == b"weights"


def test_a_log_that_cannot_be_written_costs_no_epoch(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "net.safetensors"

    class Late(Display):
        def finished(self, log: EpochLog, best: float) -> None:
            output.with_suffix(".csv").mkdir()

    with pytest.raises(UsageError, match=r"net\.csv could not be written"):
        trained(recipe_of(ONE), data, output, Late())
    output.with_suffix(".csv").rmdir()
    display = Display()
    trained(recipe_of(ONE), data, output, display)
    assert not display.logs
    assert [row["epoch"] for row in log_of(output)] == ["1"]


def test_a_state_of_an_earlier_version_is_told_of_and_left(data: Path, tmp_path: Path) -> None:
    old, display = tmp_path / "net.state", Display()
    old.write_bytes(b"state")
    trained(recipe_of(Stage(decoders=("fcn32s",), epochs=0, lr=1e-3)), data, tmp_path / "net.safetensors", display)
    assert display.notes == [f"{old}, the state of an earlier version, is not used any more and may be deleted"]
    assert old.read_bytes() == b"state"


def test_a_refused_training_leaves_no_folder(data: Path, tmp_path: Path, runs: Path) -> None:
    (tmp_path / "weights.npz").write_bytes(b"not weights at all")
    with pytest.raises(CheckpointError):
        trained(recipe_of(ONE), data, tmp_path / "net.safetensors", init=tmp_path / "weights.npz")
    assert not list(runs.iterdir())


def test_going_on_from_a_coarser_checkpoint(
    staged: tuple[TrainResult, Path, Display], data: Path, tmp_path: Path
) -> None:
    coarse = staged[0].checkpoints["fcn16s"]
    output, display = tmp_path / "net.safetensors", Display()
    stage = Stage(decoders=("fcn8s",), epochs=0, lr=1e-3)
    trained(recipe_of(stage), data, output, display, init=coarse)
    before, after = load_checkpoint(coarse)[0].state_dict(), load_checkpoint(output)[0].state_dict()
    for layer in ("score32", "score16"):
        assert torch.equal(before[f"decoders.fcn16s.{layer}.weight"], after[f"decoders.fcn8s.{layer}.weight"])
    assert "fcn16s weights from" in display.notes[0]
    origins = [load_checkpoint(path)[1].provenance for path in (coarse, output)]
    assert origins[1].trained_on == origins[0].trained_on == ("tiny train",)
    assert origins[1].recipe == origins[0].recipe, "no epoch was added to those of the coarser network"


def test_the_mean_of_trainings_is_trained_further(
    staged: tuple[TrainResult, Path, Display], data: Path, tmp_path: Path
) -> None:
    first = staged[0].checkpoints["fcn32s"]
    trained(recipe_of(ONE, seed=4), data, tmp_path / "other.safetensors")
    output, display = tmp_path / "net.safetensors", Display()
    both = [first, tmp_path / "other.safetensors"]
    net, spec = load_checkpoint(both[1])
    save_checkpoint(
        both[1], net, spec.replace(provenance={**spec.provenance.model_dump(), "trained_on": ["yard train"]})
    )
    trained(recipe_of(ONE, seed=5), data, output, display, init=both)
    assert "fcn32s weights from the mean of 2 checkpoints; 0 tensors are new" in display.notes[0]
    origin = load_checkpoint(output)[1].provenance
    assert origin.trained_on == ("tiny train", "yard train")
    assert origin.recipe[0] == "mean of 2 checkpoints"
    for seed, member in ((3, "1 of 2: "), (4, "2 of 2: "), (5, "")):
        (line,) = (line for line in origin.recipe if f'"seed":{seed}' in line)
        assert line.startswith(member + "{")


def test_a_batch_of_void_alone_is_no_harm(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(data, root)
    for path in sorted((root / "train/labels").iterdir())[1:]:
        write_png(path, np.full(SIZE, 11, np.uint8))
    display = Display()
    trained(recipe_of(ONE), root, tmp_path / "net.safetensors", display)
    assert display.moves == [(1, 3), (2, 3), (3, 3)]
    assert 0 < display.logs[0].loss < 10


def repainted(data: Path, root: Path, split: str, kept: tuple[int, ...]) -> Path:
    """A copy of the data in which a split's labels show only some classes and void."""
    shutil.copytree(data, root)
    for path in (root / split / "labels").iterdir():
        labels = read_labels(path)
        write_png(path, np.where(np.isin(labels, kept), labels, 11).astype(np.uint8))
    return root


def test_labels_of_one_class_and_void_are_refused_before_the_first_epoch(
    staged: tuple[TrainResult, Path, Display], data: Path, tmp_path: Path, runs: Path
) -> None:
    root, output, display = repainted(data, tmp_path / "root", "train", (0,)), tmp_path / "net.safetensors", Display()
    with pytest.raises(DatasetError, match=r"tiny train show sky alone, .*% of the pixels are void \(11\)"):
        trained(recipe_of(ONE), root, output, display)
    assert not display.moves
    assert not output.exists()
    trained(recipe_of(ONE), root, output, display, teachers=[staged[0].checkpoints["fcn16s"]])
    assert display.logs, "a teacher shows other classes"


def test_labels_without_a_class_are_told_of_before_the_first_epoch(data: Path, tmp_path: Path) -> None:
    root = repainted(data, tmp_path / "root", "val", (0, 3))
    output, display = tmp_path / "net.safetensors", Display()
    result = trained(recipe_of(ONE), root, output, display)
    (note,) = display.notes
    assert "val mIoU is over 2 of 11 classes" in note
    assert (result.classes_present, result.classes) == (2, 11)
    assert (display.logs[0].classes_present, display.logs[0].classes) == (2, 11)
    assert [row["classes_present"] for row in log_of(output)] == ["2"]


def test_few_images_are_told_of_before_the_first_epoch(data: Path, tmp_path: Path) -> None:
    display = Display()
    trained(recipe_of(ONE), data, tmp_path / "net.safetensors", display)
    rare, few = display.everything
    assert "hardly an image of train shows" in rare
    assert "--balance" in rare
    assert "its mIoU changes by points" in few
    display = Display()
    trained(recipe_of(ONE, rendered=0.5), data, tmp_path / "more.safetensors", display)
    assert [note for note in display.everything if "hardly an image" in note] == [], "rendered scenes show it too"


def test_the_same_files_in_both_splits_are_told_of(data: Path, tmp_path: Path) -> None:
    root, display = tmp_path / "root", Display()
    root.mkdir()
    shutil.copy(data / "dataset.toml", root)
    for name in ("train", "val"):
        (root / name).symlink_to(data / "train")
    trained(recipe_of(ONE), root, tmp_path / "net.safetensors", display)
    assert display.notes == ["Warning: train and val hold the same files, so val mIoU will flatter"]


def test_validation_labels_of_void_alone_are_refused_before_the_first_epoch(data: Path, tmp_path: Path) -> None:
    root, display = repainted(data, tmp_path / "root", "val", ()), Display()
    with pytest.raises(DatasetError, match="tiny val cannot be scored: 100% of the pixels are void"):
        trained(recipe_of(ONE), root, tmp_path / "net.safetensors", display)
    assert not display.moves


def test_fewer_images_than_a_batch(data: Path, tmp_path: Path) -> None:
    recipe = recipe_of(Stage(decoders=("fcn32s",), epochs=1, lr=1e-3), batch=8, micro_batch=4)
    display = Display()
    trained(recipe, data, tmp_path / "net.safetensors", display)
    assert display.moves == [(1, 1)]


def test_rendered_scenes_alone(tmp_path: Path) -> None:
    display = Display()
    recipe = recipe_of(Stage(decoders=("fcn32s",), epochs=1, lr=1e-3))
    output = tmp_path / "net.safetensors"
    trained(recipe, f"synthetic://street?frames=4&size={SIZE[0]}x{SIZE[1]}", output, display)
    assert len(display.moves) == 2
    _, spec = load_checkpoint(output)
    assert spec.name == "rendered-street-mobilenet_v2-fcn32s"
    assert spec.provenance.trained_on == ("rendered-street train",)


def test_rendered_scenes_among_real_images(data: Path, tmp_path: Path) -> None:
    display, output = Display(), tmp_path / "net.safetensors"
    trained(recipe_of(Stage(decoders=("fcn32s",), epochs=1, lr=1e-3), rendered=1 / 3), data, output, display)
    assert display.moves[-1] == (4, 4)
    assert load_checkpoint(output)[1].provenance.trained_on == ("tiny train", "rendered street scenes")


def test_a_root_needs_train_and_val(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no split named 'train'; it has: val"):
        trained(recipe_of(ONE), data / "val", tmp_path / "net.safetensors")


def test_splits_of_different_classes(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(data, root)
    info = splits_of(data)["val"].info
    (root / "val/dataset.toml").write_text(
        toml_of_info(info.model_copy(update={"classes": info.classes[::-1]})), encoding="utf-8"
    )
    with pytest.raises(DatasetError, match="different classes"):
        trained(recipe_of(ONE), root, tmp_path / "net.safetensors")


def test_rendered_scenes_need_camvids_classes(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(data, root)
    text = (root / "dataset.toml").read_text()
    (root / "dataset.toml").write_text(text.replace('"sky"', '"heaven"'))
    with pytest.raises(UsageError, match="CamVid's classes"):
        trained(recipe_of(ONE, rendered=0.5), root, tmp_path / "net.safetensors")


def test_rendered_scenes_are_not_mixed_with_rendered_ones(tmp_path: Path) -> None:
    street = f"synthetic://street?frames=4&size={SIZE[0]}x{SIZE[1]}"
    with pytest.raises(UsageError, match="rendered already"):
        trained(recipe_of(ONE, rendered=0.5), street, tmp_path / "net.safetensors")


def test_an_output_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (Path("/dev/null/net.safetensors"), tmp_path / "file/deep/net.safetensors"):
        with pytest.raises(UsageError, match=r"is a device|could not be written: Not a directory"):
            trained(recipe_of(ONE), tmp_path / "absent", output)


def test_a_training_from_python_needs_no_display(data: Path, tmp_path: Path) -> None:
    options = TrainingOptions(
        encoder="mobilenet_v2", decoder="fcn32s", epochs=(1,), batch=2, crop=SIZE, size=SIZE, seed=3
    )
    result = train(options.recipe(), data, tmp_path / "net.safetensors")
    assert result.epochs == 1
    assert load_checkpoint(tmp_path / "net.safetensors")[1].decoder == "fcn32s"


def test_a_checkpoint_is_a_safetensors_file(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.safetensors"):
        trained(recipe_of(ONE), data, tmp_path / "net.pth")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_one_sentence(data: Path, tmp_path: Path, workers: int) -> None:
    root = tmp_path / "root"
    shutil.copytree(data, root)
    (root / "train/images/3.png").write_bytes(b"no image")
    with pytest.raises(DatasetError) as caught:
        trained(recipe_of(ONE), root, tmp_path / "net.safetensors", workers=workers)
    assert caught.value.message == f"{root / 'train/images/3.png'} is not an image that can be read here."
    assert caught.value.fix == "Replace the file."


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"batch": 4, "micro_batch": 3}, "must be a multiple of micro_batch"),
        ({"scales": (2.0, 1.0)}, "smallest, largest"),
        ({"scales": (1e-9, 1.0)}, "greater than or equal to 0.0625"),
        ({"scales": (1.0, 1e9)}, "less than or equal to 16"),
        ({"seed": 10**30}, "less than or equal to 4294967295"),
        ({"crop": (60, 96)}, "multiple of 32"),
        ({"ema_decay": 1.0}, "less than 1"),
    ],
)
def test_recipes_that_make_no_sense(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises((ValueError, UsageError), match=problem):
        recipe_of(ONE, **settings)


@pytest.mark.parametrize("schedule", ["one-cycle", "poly"])
@pytest.mark.parametrize("steps", range(2, 13))
def test_schedules_of_any_length(schedule: str, steps: int) -> None:
    net = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    made = stage_module._schedule(optimizer, recipe_of(ONE, schedule=schedule), ONE, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    rates.append(optimizer.param_groups[0]["lr"])
    assert 0 < max(rates) <= 1e-3
    assert rates[-1] < max(rates) / 1.5
    assert all(rate >= 0 for rate in rates)
    top = rates.index(max(rates))
    assert rates[top:] == sorted(rates[top:], reverse=True), "it falls after the warm-up"


def test_a_stage_names_decoders_that_there_are() -> None:
    with pytest.raises(ValueError, match="no decoder 'fcn4s'"):
        recipe_of(Stage(decoders=("fcn4s",), epochs=1, lr=1e-3))
