from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.io.images import write_png
from fcn_edge.quantization.profiles import PROFILES

from ..levels_network import levels_image

Run = Callable[..., Any]
KEYS = {"table", "images", "tensors", "missing_classes", "clipping"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four images without labels."""
    path = tmp_path / "folder"
    path.mkdir()
    for number in range(4):
        write_png(path / f"{number}.png", levels_image(number))
    return path


@pytest.fixture
def calibrate(fcn_edge: Run, levels: Any, tmp_path: Path) -> Run:
    """Runs ``fcn-edge calibrate`` of the levels model into ``table.json``."""

    def run(source: Any, *options: Any) -> Any:
        done = fcn_edge("calibrate", levels.path, "--images", source, "-o", tmp_path / "table.json", *options)
        assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp.json")]
        return done

    return run


def test_split_becomes_a_table(calibrate: Run, levels: Any, levels_train: Path, tmp_path: Path) -> None:
    done = calibrate(levels_train, "--json")
    assert done.code == 0
    table = read_table(tmp_path / "table.json")
    assert set(done.json) >= KEYS
    assert done.json["table"] == str(tmp_path / "table.json")
    assert (done.json["images"], done.json["tensors"], done.json["missing_classes"]) == (6, len(table.tensors), [])
    assert done.json["clipping"] == {name: choice.method for name, choice in table.choices.items()}
    assert done.json["clipping"].keys() == PROFILES.keys()
    assert table.model_digest == model_digest(levels.path)
    assert (table.dataset, table.rendered, table.size) == ("levels train", False, (64, 96))
    assert set(table.tensors) == {"normal", "brightness", "stride8", "passed", "features", "output"}


def test_model_is_read_once(calibrate: Run, levels: Any, levels_train: Path, reads: Any) -> None:
    assert calibrate(levels_train).code == 0
    assert reads == {("header", levels.path): 1, ("digest", None): 1}


def test_people_are_told_what_was_done_and_what_comes_next(
    calibrate: Run, levels: Any, levels_train: Path, tmp_path: Path
) -> None:
    done = calibrate(levels_train, "-n", 4)
    assert f"{tmp_path / 'table.json'}: 6 tensors of levels on 4 images of levels train" in done.out
    assert "Chosen: 4 of 6 images of levels train" in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("Clipped by: ")]
    for name, choice in read_table(tmp_path / "table.json").choices.items():
        assert re.search(rf"\b{choice.method} \([^)]*\b{name}\b", line), line
    command = f"fcn-edge build {levels.path} --precision int8 --calibration {tmp_path / 'table.json'}"
    assert done.out.splitlines()[-1] == f"Next: {command}"
    assert "Note: 4 images are few" in done.err


def test_more_images_than_there_are(calibrate: Run, levels_train: Path) -> None:
    done = calibrate(levels_train, "-n", 100, "--json")
    assert done.json["images"] == 6
    assert "Note: 100 images were asked for and there are 6; all are taken." in done.err


def test_folder_has_no_classes_to_miss(calibrate: Run, folder: Path, tmp_path: Path) -> None:
    done = calibrate(folder, "--json")
    assert done.json["missing_classes"] == []
    assert "no labels" in done.err
    assert read_table(tmp_path / "table.json").dataset == "folder"


def test_missing_classes_are_noted(calibrate: Run, levels_train: Path, levels: Any, tmp_path: Path) -> None:
    import shutil

    split = tmp_path / "bright"
    shutil.copytree(levels_train, split)
    for path in (split / "labels").iterdir():
        write_png(path, np.zeros((64, 96), np.uint8))
    done = calibrate(split)
    missing = ", ".join(levels.spec.classes[1:9])
    assert f"Note: No image shows {missing} and 2 more: " in done.err
    assert f"No image shows: {missing}" in done.out


def test_rendered_scenes(calibrate: Run, tmp_path: Path) -> None:
    done = calibrate("synthetic://street?frames=8&size=64x96", "-n", 2, "--json")
    assert done.json["rendered"] is True
    assert read_table(tmp_path / "table.json").rendered


def test_manifest_that_was_saved_gives_the_same_table(calibrate: Run, levels_train: Path, tmp_path: Path) -> None:
    first = calibrate(levels_train, "-n", 3, "--save-manifest", tmp_path / "chosen.json", "--json").json
    again = calibrate(tmp_path / "chosen.json", "--root", levels_train, "--json").json
    assert again["images"] == 3
    assert read_table(tmp_path / "table.json").images
    assert {**first, "digest": ""} == {**again, "digest": ""}


def test_same_images_give_the_same_table(calibrate: Run, levels_train: Path, tmp_path: Path) -> None:
    first = calibrate(levels_train, "--threads", 1, "--json").json["digest"]
    assert calibrate(levels_train, "--threads", 1, "--json").json["digest"] == first
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["digest"] == first


def noise(path: Path) -> None:
    write_png(path, np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))


def even(path: Path) -> None:
    write_png(path, np.full((64, 96, 3), 77, np.uint8))


def small(path: Path) -> None:
    write_png(path, levels_image(0)[:16, :16])


def no_image(path: Path) -> None:
    path.write_bytes(b"no image")


@pytest.mark.parametrize(
    ("make", "said"),
    [(noise, "random noise"), (even, "of one color"), (small, "too small"), (no_image, "bad.png")],
)
def test_images_that_would_spoil_it_are_refused(
    calibrate: Run, folder: Path, tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    make(folder / "bad.png")
    done = calibrate(folder, "--json")
    assert (done.code, done.json["exit_code"]) == (3, 3)
    assert said in done.json["error"]
    assert "bad.png" in done.json["error"]
    assert not (tmp_path / "table.json").exists()


def test_table_that_is_there_stays_when_it_fails(calibrate: Run, folder: Path, tmp_path: Path) -> None:
    assert calibrate(folder).code == 0
    before = (tmp_path / "table.json").read_bytes()
    no_image(folder / "bad.png")
    assert calibrate(folder).code == 3
    assert (tmp_path / "table.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-o", "table.txt"], 2, "does not end in .json"),
        (["-o", "nowhere/table.json"], 2, "no directory nowhere"),
        (["--save-manifest", "nowhere/m.json"], 2, "no directory nowhere"),
        (["-o", "folder.json"], 2, "folder.json is a directory"),
        (["--save-manifest", "folder.json"], 2, "folder.json is a directory"),
        (["--save-manifest", "table.json"], 2, "is the table and would be replaced by the manifest"),
        (["--images", "m.json", "-o", "m.json"], 2, "is the manifest of the images and would be replaced by the table"),
        (
            ["--images", "m.json", "-o", "link.json"],
            2,
            "is the manifest of the images and would be replaced by the table",
        ),
        (
            ["--images", "m.json", "--save-manifest", "m.json"],
            2,
            "is the manifest of the images and would be replaced by the manifest",
        ),
        (["--images", "nowhere"], 3, "no directory nowhere"),
        (["--images", "nowhere.json"], 3, "nowhere.json"),
        (["-n", "0"], 2, "0"),
        (["--size", "100x100"], 2, "multiple of 32"),
    ],
)
def test_what_makes_no_sense_is_said_before_any_work(
    calibrate: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text("a manifest")
    (tmp_path / "link.json").symlink_to("m.json")
    (tmp_path / "folder.json").mkdir()
    before = sorted(tmp_path.iterdir())
    done = calibrate(folder, *options)
    assert done.code == code
    assert said in done.err
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "m.json").read_text() == "a manifest"


def test_directory_that_may_not_be_written_is_found_out_before_images_are_chosen(
    calibrate: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    from fcn_edge.quantization import api

    def refused(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    monkeypatch.setattr(api, "calibration_set", lambda *_, **__: pytest.fail("images were chosen"))
    done = calibrate(folder)
    assert done.code == 2
    assert "table.json could not be written: Permission denied" in done.err


def test_only_float_models_are_calibrated(
    fcn_edge: Run, levels: Any, levels_int8: Path, folder: Path, tmp_path: Path
) -> None:
    for model, code, said in (
        (levels_int8, 2, "is an engine"),
        (levels_int8 / "model.onnx", 3, "is an int8 graph"),
        (tmp_path / "none.onnx", 3, "no model"),
    ):
        done = fcn_edge("calibrate", model, "--images", folder, "-o", tmp_path / "t.json")
        assert done.code == code
        assert said in done.err


def test_ctrl_c_leaves_no_table(calibrate: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fcn_edge.quantization import calibrate as module

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "ranges_of_images", interrupted)
    assert calibrate(folder).code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_help_shows_an_example(fcn_edge: Run) -> None:
    assert "Example: fcn-edge calibrate net.onnx --images" in fcn_edge("calibrate", "--help").out
