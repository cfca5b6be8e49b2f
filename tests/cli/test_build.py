from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fcn_edge import build
from fcn_edge.cli.main import main
from fcn_edge.engine import open_engine
from fcn_edge.runtime.segmenter import load

pytestmark = pytest.mark.usefixtures("onnxruntime_alone")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_frames", lambda: [np.full((48, 64, 3), 100, np.uint8)])


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["build", *map(str, arguments)])


def test_json_has_the_keys_that_scripts_rely_on(tiny: Any, tmp_path: Path) -> None:
    done = run(tiny.path, "--size", "96x128", "-o", tmp_path / "e", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["engine"] == str(tmp_path / "e")
    assert (printed["backend"], printed["precision"], printed["int8_share"]) == ("onnxruntime", "fp32", None)
    assert printed["build_seconds"] >= 0
    assert printed["size"] == [96, 128]
    (candidate,) = printed["candidates"]
    assert set(candidate) == {"backend", "precision", "end_to_end_ms", "miou", "kept", "reason"}
    assert candidate["end_to_end_ms"] > 0
    assert candidate["miou"] is None
    assert candidate["kept"] is True
    with load(printed["engine"]) as segment:
        assert segment.size == (96, 128)


def test_people_are_told_where_it_is_and_how_to_use_it(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(tiny.path)
    assert done.exit_code == 0, done.output
    assert "engines/tiny-0.onnxruntime.fp32: tiny-0 at 64x96" in done.stdout
    assert "onnxruntime fp32" in done.stdout
    assert "fcn-edge run engines/tiny-0.onnxruntime.fp32 SOURCE" in done.stdout
    assert "Building for onnxruntime" in done.stderr
    open_engine(Path("engines/tiny-0.onnxruntime.fp32")).close()


def test_if_stale_says_that_it_is_up_to_date(tiny: Any, tmp_path: Path) -> None:
    first = json.loads(run(tiny.path, "-o", tmp_path / "e", "--if-stale", "--json").stdout)
    assert (first["up_to_date"], first["reason"]) == (False, "there was none")
    second = json.loads(run(tiny.path, "-o", tmp_path / "e", "--if-stale", "--json").stdout)
    assert second["up_to_date"]
    assert second["build_seconds"] == first["build_seconds"]
    done = run(tiny.path, "-o", tmp_path / "e", "--if-stale")
    assert f"{tmp_path / 'e'} is up to date: model, size" in done.stdout
    other = run(tiny.path, "-o", tmp_path / "e", "--if-stale", "--size", "32x32")
    assert "built because the size changed from 64x96 to 32x32" in other.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--backend", "tpu"], 2, "no backend 'tpu'"),
        (["--precision", "fp16"], 2, "fp16"),
        (["--size", "100x100"], 2, "not a multiple of 32"),
    ],
)
def test_wrong_arguments_end_with_2(tiny: Any, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(tiny.path, "-o", tmp_path / "e", *arguments)
    assert done.exit_code == code
    assert said in done.output
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_missing_model_ends_with_3(tmp_path: Path) -> None:
    done = run(tmp_path / "none.onnx", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["exit_code"] == 3


def test_somebody_s_directory_ends_with_2_and_is_left_alone(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    done = run(tiny.path, "-o", tmp_path, "--json")
    assert done.exit_code == 2
    assert "not an engine" in json.loads(done.stdout)["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_thread_pools_are_given_back(tiny: Any, tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    assert run(tiny.path, "-o", tmp_path / "e").exit_code == 0
    assert cv2.getNumThreads() == before


def test_help_shows_an_example_and_only_precisions_that_work() -> None:
    done = run("--help")
    assert "Example: fcn-edge build camvid-mobilenet_v2-fcn8s" in done.stdout
    assert "[fp32]" in done.stdout
    assert tuple(build.PRECISIONS) == ("fp32",)
