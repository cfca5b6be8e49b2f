from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from pydantic import ValidationError

from fcn_edge.datasets import LabeledSplit, splits_of
from fcn_edge.errors import CheckpointError, DatasetError, UsageError
from fcn_edge.io.images import write_png
from fcn_edge.training.recipe import Recipe, Stage
from fcn_edge.training.runs import PREVIOUS_FILE, STATE_FILE, Run
from fcn_edge.training.trainset import Extras

RECIPE = Recipe(encoder="vgg16", stages=(Stage(decoders=("fcn32s", "fcn16s"), epochs=2, lr=1e-3),))
NONE = Extras()
STATE = {"ran": [], "log": [], "trainer": {"epoch": 1, "weights": torch.arange(3)}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for name in ("1.png", "2.png"):
            write_png(root / split / "images" / name, np.zeros((8, 8, 3), np.uint8))
            write_png(root / split / "labels" / name, np.zeros((8, 8), np.uint8))
    (root / "dataset.toml").write_text('name = "my streets"\nclasses = ["a", "b"]\nvoid = 255\n')
    return root


def run_of(data: Path, recipe: Recipe = RECIPE, init: Sequence[Path] = (), extras: Extras = NONE) -> Run:
    splits: dict[str, LabeledSplit] = dict(splits_of(data))
    return Run(recipe, splits["train"], splits["val"], init, extras)


def test_a_state_is_found_again_by_what_is_trained(data: Path, runs: Path, tmp_path: Path) -> None:
    run = run_of(data)
    assert run.folder.parent == runs
    assert run.folder.name.startswith("my-streets-vgg16-fcn16s-")
    assert run.saved() is None
    with run.held():
        run.save(STATE)
    copied = tmp_path / "elsewhere"
    shutil.copytree(data, copied)
    again = run_of(copied).saved()
    assert again is not None
    assert again["trainer"]["epoch"] == 1
    assert torch.equal(again["trainer"]["weights"], torch.arange(3))
    run.finish()
    assert run_of(data).saved() is None
    assert not list(runs.iterdir())


def test_another_recipe_other_images_or_other_first_weights_make_another_run(data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    weights.write_bytes(b"one")
    folders = [run_of(data).folder, run_of(data, init=[weights]).folder]
    folders.append(run_of(data, RECIPE.model_copy(update={"seed": 4})).folder)
    weights.write_bytes(b"two")
    folders.append(run_of(data, init=[weights]).folder)
    for kind in ("images", "labels"):
        (data / "train" / kind / "2.png").unlink()
    folders.append(run_of(data).folder)
    folders.append(run_of(data, extras=Extras(teachers=(weights,))).folder)
    folders.append(run_of(data, extras=Extras(unlabeled=(weights,))).folder)
    folders.append(run_of(data, init=[weights, weights]).folder)
    assert len(set(folders)) == 8


def test_files_that_are_not_there_are_one_sentence(data: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.npz"
    for what in ({"init": [absent]}, {"extras": Extras(teachers=(absent,))}):
        with pytest.raises(CheckpointError, match=r"absent\.npz could not be read: No such file or directory"):
            run_of(data, **what)
    (tmp_path / "dangling.png").symlink_to(absent)
    with pytest.raises(DatasetError, match=r"dangling\.png could not be read: No such file or directory"):
        run_of(data, extras=Extras(unlabeled=(tmp_path / "dangling.png",)))


def test_numbers_of_a_recipe_are_finite() -> None:
    for number in (float("inf"), float("nan")):
        for values in ({"dice": number}, {"temperature": number}, {"rendered": number}, {"scales": (1.0, number)}):
            with pytest.raises(ValidationError):
                Recipe(encoder="vgg16", stages=RECIPE.stages, **values)
        with pytest.raises(ValidationError):
            Stage(decoders=("fcn32s",), epochs=1, lr=number)


def test_a_state_that_was_put_into_the_wrong_folder(data: Path) -> None:
    run, other = run_of(data), run_of(data, RECIPE.model_copy(update={"seed": 4}))
    for each in (run, other):
        with each.held():
            each.save(STATE)
    shutil.copyfile(run.folder / STATE_FILE, other.folder / STATE_FILE)
    with pytest.raises(CheckpointError, match="is the state of a training with another recipe") as caught:
        other.saved()
    assert caught.value.fix == f"Remove {other.folder} to start the training anew."


def test_a_damaged_state_leaves_the_one_before(data: Path) -> None:
    run = run_of(data)

    def saved_ran() -> Any:
        state = run.saved()
        assert state is not None
        return state["ran"]

    with run.held():
        for epochs in (1, 2):
            run.save({**STATE, "ran": [epochs]})
        assert (saved_ran(), run.damaged) == ([2], False)
        newest, previous = run.folder / STATE_FILE, run.folder / PREVIOUS_FILE
        newest.write_bytes(newest.read_bytes()[:500])
        assert (saved_ran(), run.damaged) == ([1], True)
        run.save({**STATE, "ran": [3]})
        assert (saved_ran(), run.damaged) == ([3], False)
        newest.unlink()
        assert (saved_ran(), run.damaged) == ([1], False), "the damaged one did not take the place of the good one"
        run.save({**STATE, "ran": [4]})
        for path in (newest, previous):
            path.write_bytes(b"")
        with pytest.raises(CheckpointError, match=r"state\.pt cannot be read .*: it is damaged"):
            run.saved()


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"recipe": RECIPE.model_dump_json()},
        {**STATE, "recipe": RECIPE.model_dump_json(), "inputs": None},
        {**STATE, "recipe": 1, "inputs": {}},
        {**STATE, "recipe": RECIPE.model_dump_json(), "inputs": {}, "ran": ["two"]},
        {**STATE, "recipe": RECIPE.model_dump_json(), "inputs": {}, "log": ["a line"]},
        {**STATE, "recipe": RECIPE.model_dump_json(), "inputs": {}, "trainer": torch.zeros(1)},
    ],
)
def test_a_file_that_torch_reads_and_that_is_no_state_leaves_the_one_before(data: Path, content: object) -> None:
    run = run_of(data)
    with run.held():
        run.save(STATE)
        run.save(STATE)
        torch.save(content, run.folder / STATE_FILE)
        state = run.saved()
        assert state is not None
        assert (state["ran"], run.damaged) == ([], True)
        (run.folder / PREVIOUS_FILE).unlink()
        with pytest.raises(CheckpointError, match=r"state\.pt is not a training state") as caught:
            run.saved()
        assert caught.value.fix == f"Remove {run.folder} to start the training anew."


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_a_state_that_the_system_does_not_give_is_not_called_damaged(data: Path) -> None:
    run = run_of(data)
    run.folder.mkdir(parents=True)
    # a file whose first byte nobody may read, not even root
    (run.folder / STATE_FILE).symlink_to("/proc/self/mem")
    with pytest.raises(CheckpointError, match=r"state\.pt could not be read: Input/output error") as caught:
        run.saved()
    assert caught.value.fix.startswith("Make it readable.")


def test_what_a_killed_save_left_is_removed(data: Path) -> None:
    run = run_of(data)
    with run.held():
        run.save(STATE)
        left = run.folder / ".fcn-edge-00000000-0123456789abcdef.tmp.pt"
        left.write_bytes(b"half")
        os.utime(left, (0, 0))
        (run.folder / "fcn32s.safetensors").write_bytes(b"of a finished stage")
    with run.held():
        assert {path.name for path in run.folder.iterdir()} == {STATE_FILE, "fcn32s.safetensors"}


class Code:
    """What pickle would run on loading."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pickled"),)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"cut off", "cannot be read as the state of a training"),
        (Code(), "cannot be read as the state of a training"),
        ([1], "is not a training state"),
        ({"recipe": "{}"}, "is not a training state"),
        ({"recipe": "{}", "inputs": {}, "ran": [], "log": [], "trainer": {}}, "another recipe"),
    ],
)
def test_a_file_that_is_no_state(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_of(data)
    run.folder.mkdir(parents=True)
    if isinstance(content, bytes):
        (run.folder / STATE_FILE).write_bytes(content)
    else:
        torch.save(content, run.folder / STATE_FILE)
    with pytest.raises(CheckpointError, match=says):
        run.saved()
    assert not Path("pickled").exists()


def test_two_processes_do_not_share_a_run(data: Path) -> None:
    with (
        run_of(data).held(),
        pytest.raises(UsageError, match="Another process does this training"),
        run_of(data).held(),
    ):
        pass
    with run_of(data).held():
        pass


def test_a_lock_of_a_folder_that_was_removed_meanwhile_is_none(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, real = run_of(data), fcntl.flock
    taken: list[int] = []

    def flock(directory: int, how: int) -> None:
        if not taken:
            # as if another process had finished this training after we had opened its folder
            run.folder.rmdir()
        real(directory, how)
        taken.append(directory)

    monkeypatch.setattr(fcntl, "flock", flock)
    with run.held():
        assert len(taken) == 2
        run.save(STATE)
        with pytest.raises(UsageError, match="Another process does this training"), run_of(data).held():
            pass


def test_a_folder_that_is_removed_before_it_is_opened_is_made_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = run_of(data), os.open
    opened: list[Any] = []

    def open_(path: Any, flags: int, *more: Any, **how: Any) -> int:
        if path == run.folder and not opened:
            opened.append(path)
            run.folder.rmdir()
        return real(path, flags, *more, **how)

    monkeypatch.setattr(os, "open", open_)
    with run.held():
        assert opened
        assert run.folder.is_dir()


def test_only_an_empty_folder_of_its_own_is_removed(data: Path) -> None:
    run = run_of(data)
    with run.held():
        assert run.folder.is_dir()
    assert not run.folder.exists()
    with run.held():
        run.finish()
        run.folder.mkdir()  # by another process that starts this training anew
    assert run.folder.is_dir()


def test_a_folder_that_cannot_be_made(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_EDGE_RUNS", "/dev/null/runs")
    with pytest.raises(UsageError, match="could not be made: Not a directory") as caught, run_of(data).held():
        pass
    assert "FCN_EDGE_RUNS" in caught.value.fix
