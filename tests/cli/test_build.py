from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.engine_manifest import TABLE_FILE, read_manifest, rebuild_fix
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.opening import open_engine
from fcn_edge.builder import Build, BuildRequest
from fcn_edge.cli.build import _use
from fcn_edge.runtime.segmenter import load

Run = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")

CANDIDATE = {"backend", "precision", "end_to_end_ms", "miou", "kept", "reason"}


@pytest.fixture
def build(fcn_edge: Run) -> Run:
    """Runs ``fcn-edge build``."""
    return lambda *arguments: fcn_edge("build", *arguments)


def test_json_has_the_keys_that_scripts_rely_on(build: Run, tiny: Any, tmp_path: Path) -> None:
    done = build(tiny.path, "--size", "96x128", "-o", tmp_path / "e", "--json")
    assert done.code == 0
    printed = done.json
    assert printed["engine"] == str(tmp_path / "e")
    assert (printed["backend"], printed["precision"], printed["int8_share"]) == ("onnxruntime", "fp32", None)
    assert printed["build_seconds"] >= 0
    assert printed["size"] == [96, 128]
    assert "miou" not in printed, "nothing was scored"
    (candidate,) = printed["candidates"]
    assert set(candidate) >= CANDIDATE
    assert (candidate["end_to_end_ms"], candidate["miou"], candidate["kept"]) == (10.0, None, True)
    with load(printed["engine"]) as segment:
        assert segment.size == (96, 128)


def test_json_of_a_guarded_int8_build(build: Run, levels: Any, table_of: Any, levels_val: Path, tmp_path: Path) -> None:
    options = ["--precision", "int8", "--calibration", table_of(levels), "--eval", levels_val]
    printed = build(levels.path, *options, "-o", tmp_path / "e", "--json").json
    assert printed["precision"] == "int8"
    assert 0.8 <= printed["int8_share"] <= 1
    assert printed["miou"] == read_manifest(tmp_path / "e").accuracy.miou  # type: ignore[union-attr]
    int8, fp32 = printed["candidates"]
    assert (int8["precision"], int8["kept"], int8["miou"]) == ("int8", True, printed["miou"])
    assert (fp32["precision"], fp32["kept"], fp32["miou"]) == ("fp32", False, None)
    assert "mIoU" in printed["guard"]
    assert (tmp_path / "e" / TABLE_FILE).is_file()
    again = build(levels.path, *options, "-o", tmp_path / "e", "--if-stale", "--json").json
    assert (again["up_to_date"], again["miou"]) == (True, printed["miou"])


def test_people_are_told_where_it_is_and_how_to_use_it(
    build: Run, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = build(tiny.path)
    assert done.code == 0
    assert "engines/tiny-0.onnxruntime.fp32: tiny-0 at 64x96" in done.out
    assert "onnxruntime fp32: the only one that runs here." in done.out
    assert "Guard" not in done.out, "it is the float network itself"
    assert done.out.splitlines()[-1] == "Use it: fcn-edge run engines/tiny-0.onnxruntime.fp32 SOURCE"
    assert "Building for onnxruntime" in done.err
    open_engine(Path("engines/tiny-0.onnxruntime.fp32")).close()


def test_people_see_the_numbers_in_a_table_and_the_reasons_below(
    build: Run, loud: Any, table_of: Any, levels_val: Path, tmp_path: Path, quick_builds: dict[str, float]
) -> None:
    quick_builds["onnxruntime.int8"] = 4.0
    options = ["--precision", "auto", "--calibration", table_of(loud), "--eval", levels_val]
    lines = build(loud.path, *options, "-o", tmp_path / "e").out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("candidate"))
    assert lines[head].split() == ["candidate", "ms", "per", "frame", "mIoU", "INT8", "kept"]
    fp32, int8 = (line.split() for line in lines[head + 2 : head + 4])
    assert fp32 == ["onnxruntime", "fp32", "10.0", "100.0%", "-", "no"]
    assert int8[:3] == ["onnxruntime", "int8", "4.0"]
    assert int8[-2:] == ["81.7%", "yes"]
    assert max(map(len, lines[head : head + 4])) <= 80
    assert "onnxruntime fp32: 6.0 ms slower than onnxruntime int8." in lines
    assert "onnxruntime int8: the fastest, 2.50 times as fast as fp32." in lines
    assert any(line.startswith("Guard: levels val (the other half), ") and line.endswith("allowed).") for line in lines)
    assert "In floating point: encoder.features.1." in lines


def test_auto_says_why_int8_was_not_kept(
    build: Run, levels: Any, table_of: Any, levels_val: Path, tmp_path: Path, quick_builds: dict[str, float]
) -> None:
    quick_builds["onnxruntime.int8"] = 10 / 1.04
    options = ["--precision", "auto", "--calibration", table_of(levels), "--eval", levels_val]
    done = build(levels.path, *options, "-o", tmp_path / "e")
    assert "onnxruntime int8: INT8 is not worth it here: 4% faster" in done.out
    assert read_manifest(tmp_path / "e").precision == "fp32"


def test_broken_int8_ends_with_4_and_no_guard_keeps_it_with_a_warning(
    build: Run, loud: Any, table_of: Any, tmp_path: Path
) -> None:
    options = ["--precision", "int8", "--calibration", table_of(loud), "-o", tmp_path / "e"]
    done = build(loud.path, *options, "--json")
    assert (done.code, done.json["exit_code"]) == (4, 4)
    assert "less accurate than is allowed" in done.json["error"]
    assert "--no-guard" in done.json["fix"]
    assert not (tmp_path / "e").exists()
    kept = build(loud.path, *options, "--no-guard")
    assert kept.code == 0
    assert "Warning: It was built with --no-guard" in kept.err
    assert json.loads((tmp_path / "e/engine.json").read_text())["guard"] == "none: it was built with --no-guard"


def test_slow_int8_is_warned_of(
    build: Run, levels: Any, table_of: Any, tmp_path: Path, quick_builds: dict[str, float]
) -> None:
    quick_builds["onnxruntime.int8"] = 12.0
    done = build(levels.path, "--precision", "int8", "--calibration", table_of(levels), "-o", tmp_path / "e")
    assert done.code == 0
    assert "Warning: int8 was asked for and is no faster than fp32 here" in done.err
    assert "0.83 times as fast as fp32" in done.out


def test_calibration_images_are_no_labeled_images(
    build: Run, levels: Any, table_of: Any, levels_train: Path, tmp_path: Path
) -> None:
    options = ["--precision", "int8", "--calibration", table_of(levels), "--eval", levels_train]
    done = build(levels.path, *options, "-o", tmp_path / "e", "--json")
    assert done.code == 3
    assert "used to calibrate" in done.json["error"]
    fp32 = build(levels.path, "--eval", levels_train, "-o", tmp_path / "e", "--json")
    assert fp32.json["miou"] > 0.95, "a float network was not calibrated"


def test_limits_without_labeled_images_are_noted(build: Run, tiny: Any, levels_val: Path, tmp_path: Path) -> None:
    assert "Note: --max-drop count" in build(tiny.path, "-o", tmp_path / "e", "--max-drop", "0.5").err
    for options in ([], ["--eval", levels_val, "--max-drop", "0.5"]):
        assert "Note" not in build(tiny.path, "-o", tmp_path / "e", *options).err


def test_if_stale_says_that_it_is_up_to_date(build: Run, tiny: Any, tmp_path: Path) -> None:
    first = build(tiny.path, "-o", tmp_path / "e", "--if-stale", "--json").json
    assert (first["up_to_date"], first["reason"]) == (False, "there was none")
    second = build(tiny.path, "-o", tmp_path / "e", "--if-stale", "--json").json
    assert second["up_to_date"]
    assert second["build_seconds"] == first["build_seconds"]
    done = build(tiny.path, "-o", tmp_path / "e", "--if-stale")
    assert f"{tmp_path / 'e'} is up to date: model, size" in done.out
    other = build(tiny.path, "-o", tmp_path / "e", "--if-stale", "--size", "32x32")
    assert "built because the size changed from 64x96 to 32x32" in other.out


def test_onnx_only_writes_the_typed_graph(build: Run, levels: Any, table_of: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    options = ["--backend", "onnxruntime", "--precision", "int8", "--calibration", table_of(levels), "--onnx-only"]
    printed = build(levels.path, *options, "-o", path, "--json").json
    assert (printed["engine"], printed["backend"], printed["precision"]) == (str(path), "onnxruntime", "int8")
    assert printed["int8_share"] == pytest.approx(7168 / 7520)
    assert (printed["build_seconds"], printed["candidates"]) == (None, [])
    people = build(levels.path, *options, "-o", path)
    assert people.out == f"{path}: levels in int8 for onnxruntime, 95% of the multiplications in INT8\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--backend", "tpu"], 2, "no backend 'tpu'"),
        (["--precision", "int8"], 3, "needs a calibration table"),
        (["--precision", "fp8"], 2, "fp8"),
        (["--precision", "int8", "--calibration", "none.json"], 3, "no file none.json"),
        (["--size", "100x100"], 2, "not a multiple of 32"),
        (["--max-drop", "2"], 2, "max_drop is 2"),
        (["--eval", "nowhere"], 3, "no data directory"),
        (["--eval", "synthetic://street?frames=2", "--no-guard"], 2, "no guard was asked for"),
        (["--onnx-only", "--if-stale"], 2, "--onnx-only writes one file"),
        (["--onnx-only", "--eval", "synthetic://street?frames=2"], 2, "takes no --eval"),
        (["--onnx-only"], 2, "does not end in .onnx"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    build: Run, tiny: Any, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = build(tiny.path, "-o", tmp_path / "e", *arguments)
    assert done.code == code
    assert said in done.err
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_onnx_only_needs_an_output(build: Run, tiny: Any) -> None:
    done = build(tiny.path, "--onnx-only", "--json")
    assert done.code == 2
    assert "-o FILE.onnx" in done.json["error"]


def test_missing_model_ends_with_3(build: Run, tmp_path: Path) -> None:
    assert build(tmp_path / "none.onnx", "--json").json["exit_code"] == 3


def test_somebody_s_directory_ends_with_2_and_is_left_alone(build: Run, tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    done = build(tiny.path, "-o", tmp_path, "--json")
    assert done.code == 2
    assert "not an engine" in done.json["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_thread_pools_are_given_back(build: Run, tiny: Any, tmp_path: Path) -> None:
    before = cv2.getNumThreads()
    assert build(tiny.path, "-o", tmp_path / "e").code == 0
    assert cv2.getNumThreads() == before


def test_help_shows_an_example_and_the_defaults(build: Run) -> None:
    done = build("--help")
    assert "Example: fcn-edge build camvid-mobilenet_v2-fcn8s" in done.out
    words = " ".join(done.out.split())
    for text in ("[fp32|fp16|int8|auto]", "[default: fp32]", "[default: 0.01]", "[default: 0.03]"):
        assert text in words


def test_several_frames_at_once(build: Run, fcn_edge: Run, tiny: Any, tmp_path: Path) -> None:
    done = build(tiny.path, "--batch", "3", "-o", tmp_path / "e", "--json")
    assert done.json["batch"] == 3
    assert "3 frames at once" in build(tiny.path, "--batch", "3", "-o", tmp_path / "e").out
    assert fcn_edge("inspect", tmp_path / "e", "--json").json["batch"] == 3
    with load(tmp_path / "e") as segment:
        assert segment.engine.batch == 3
    printed = build(tiny.path, "--batch", "2", "--onnx-only", "-o", tmp_path / "m.onnx", "--json").json
    assert printed["batch"] == 2
    refused = build(tiny.path, "--batch", "2", "--backend", "tensorrt", "--json")
    assert (refused.code, refused.json["exit_code"]) == (2, 2)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(
        'description = "mine"\ntested_on = "nothing"\nnotes = ["Mind the step."]\n'
        'backend = "onnxruntime"\nsize = "96x128"\nbatch = 2\nthreads = 1\n'
    )
    return path


def test_a_recipe_gives_what_the_command_line_leaves_open(build: Run, tiny: Any, tmp_path: Path, recipe: Path) -> None:
    done = build(tiny.path, "--recipe", recipe, "-o", tmp_path / "e", "--json")
    assert (done.json["recipe"], done.json["size"], done.json["batch"]) == (str(recipe), [96, 128], 2)
    assert f"Recipe {recipe}: mine; tested: nothing." in done.err
    assert "Note: Mind the step." in done.err
    manifest = read_manifest(tmp_path / "e")
    assert (manifest.notes["recipe"], manifest.options["threads"]) == (str(recipe), 1)
    # also a value that is the option's default
    over = build(tiny.path, "--recipe", recipe, "--size", "64x96", "--batch", "1", "-o", tmp_path / "f", "--json").json
    assert (over["size"], over["batch"]) == ([64, 96], 1)
    assert build(tiny.path, "-o", tmp_path / "g", "--json").json["recipe"] is None
    people = build(tiny.path, "--recipe", recipe, "-o", tmp_path / "e")
    assert people.out.splitlines()[-1] == f"Use it: fcn-edge run {tmp_path / 'e'} SOURCE --threads 1"
    typed = build(tiny.path, "--recipe", recipe, "--onnx-only", "-o", tmp_path / "m.onnx", "--json").json
    assert (typed["batch"], typed["recipe"]) == (2, str(recipe))


def test_an_engine_is_bound_to_what_the_recipe_says_and_not_to_its_name(
    build: Run, tiny: Any, tmp_path: Path, recipe: Path
) -> None:
    stale = ["-o", tmp_path / "e", "--if-stale", "--json"]
    assert build(tiny.path, "--recipe", recipe, *stale).json["reason"] == "there was none"
    same = ["--backend", "onnxruntime", "--size", "96x128", "--batch", "2", "--threads", "1"]
    assert build(tiny.path, *same, *stale).json["up_to_date"]
    recipe.write_text(recipe.read_text().replace("mine", "ours"))
    assert build(tiny.path, "--recipe", recipe, *stale).json["up_to_date"]
    recipe.write_text(recipe.read_text().replace("96x128", "64x96"))
    assert build(tiny.path, "--recipe", recipe, *stale).json["reason"] == "the size changed from 96x128 to 64x96"


def test_the_command_that_builds_it_again_states_the_values(
    build: Run, tiny: Any, tmp_path: Path, recipe: Path
) -> None:
    build(tiny.path, "--recipe", recipe, "-o", tmp_path / "e")
    fix = rebuild_fix(read_manifest(tmp_path / "e"), tmp_path / "e")
    for part in ("--backend onnxruntime --precision fp32 --size 96x128", "--threads 1", "--batch 2"):
        assert part in fix
    assert "--recipe" not in fix, "the file may be gone, or another one"


def test_candidates_are_timed_with_the_threads(
    build: Run, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    real = OnnxRuntime.open

    def opened(self: Any, *arguments: Any) -> Any:
        asked.append(arguments[-1].threads)
        return real(self, *arguments)

    monkeypatch.setattr(OnnxRuntime, "open", opened)
    assert build(tiny.path, "--threads", "1", "-o", tmp_path / "e").code == 0
    assert asked[0] == 1
    assert build(tiny.path, "--threads", "0", "-o", tmp_path / "e").code == 2


def test_the_recipes_are_listed(build: Run) -> None:
    done = build("--recipe", "?")
    assert done.code == 0
    assert "orin-nano   Jetson Orin Nano, JetPack 6.1 or newer\n" in done.out
    assert "tested: not run on such a board yet" in done.out
    listed = {one["name"]: one for one in build("--recipe", "?", "--json").json["recipes"]}
    assert (listed["orin-nano"]["backend"], listed["orin-nano"]["precision"]) == ("tensorrt", "auto")
    unknown = build("model", "--recipe", "orin", "--json")
    assert (unknown.code, unknown.json["error"].startswith("There is no recipe 'orin'")) == (2, True)
    assert "thor (Jetson Thor, JetPack 7)" in unknown.json["fix"]


def test_a_model_is_needed(build: Run) -> None:
    done = build("--recipe", "x86")
    assert (done.code, "Missing argument 'MODEL'" in done.err) == (2, True)


def test_threads_are_not_for_an_engine_on_a_gpu(build: Run, tiny: Any, tmp_path: Path) -> None:
    """Those of a recipe are for whatever auto chooses, which may be a GPU's."""
    build(tiny.path, "--threads", "1", "-o", tmp_path / "e")
    manifest, request = read_manifest(tmp_path / "e"), BuildRequest(threads=1)
    gpu = manifest.model_copy(update={"device": DeviceInfo("cuda", "any", "8.7")})
    for made, end in ((manifest, "SOURCE --threads 1"), (gpu, "SOURCE")):
        assert _use(Build(tmp_path / "e", made, (), up_to_date=False, reason=""), request).endswith(f" {end}")
