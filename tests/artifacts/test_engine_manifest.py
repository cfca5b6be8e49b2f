from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fcn_edge.artifacts.engine_manifest import TABLE_FILE, read_manifest, rebuild_fix, verify_engine
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.opening import open_engine
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.cli.main import main
from fcn_edge.datasets import split_of
from fcn_edge.errors import EngineError
from fcn_edge.io.documents import write_document
from fcn_edge.runtime.segmenter import load

from ..engine_damages import DAMAGES, TABLE_DAMAGES, Damage, cut_plan


@pytest.mark.parametrize("damage", TABLE_DAMAGES.values(), ids=TABLE_DAMAGES)
def test_damage_of_an_int8_engine_is_never_run(
    int8_engine: Path, levels_val: Path, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(int8_engine)
    monkeypatch.setattr(OnnxRuntime, "open", lambda *_, **__: pytest.fail("a damaged engine was opened"))
    for command in (["run", "synthetic://street?frames=1&size=64x96"], ["evaluate", "--data", str(levels_val)]):
        done = CliRunner().invoke(main, [command[0], str(int8_engine), *command[1:], "--json"])
        assert done.exit_code == 3, done.output
        printed = json.loads(done.stdout)
        assert printed["exit_code"] == 3
        assert printed["error"].count("\n") == 0
        assert printed["fix"]


@pytest.mark.parametrize("name", ["plan missing", "one bit of the plan", "manifest cut off"])
def test_command_of_the_fix_repairs_an_int8_engine(
    int8_engine: Path, levels: Any, table_of: Any, quick_builds: dict[str, float], onnxruntime_alone: None, name: str
) -> None:
    """The table that lies in the engine serves again; where the manifest tells nothing, the user names it."""
    {**DAMAGES, **TABLE_DAMAGES}[name](int8_engine)
    with pytest.raises(EngineError) as caught:
        open_engine(int8_engine)
    command = caught.value.fix.removeprefix("Build it again: fcn-edge ").split()
    if "MODEL" in command:
        command[command.index("MODEL")] = str(levels.path)
        command += ["--precision", "int8", "--calibration", str(table_of(levels))]
    else:
        assert command[command.index("--calibration") + 1] == str(int8_engine / TABLE_FILE)
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    open_engine(int8_engine).close()
    assert (int8_engine / TABLE_FILE).read_bytes() == table_of(levels).read_bytes()


@pytest.mark.parametrize(
    "name", ["plan missing", "one bit of the plan", "extra file", "manifest cut off", "one digit", "size odd"]
)
@pytest.mark.parametrize("command", [["inspect"], ["run"]], ids=["inspect", "run"])
def test_damage_on_the_command_line_is_one_json_object(engine: Path, name: str, command: list[str]) -> None:
    DAMAGES[name](engine)
    rest = ["synthetic://street?frames=1&size=64x96"] if command == ["run"] else []
    done = CliRunner().invoke(main, [*command, str(engine), *rest, "--json"])
    assert done.exit_code == 3
    printed = json.loads(done.stdout)
    assert printed["exit_code"] == 3
    assert str(engine) in printed["error"]
    assert "fcn-edge build" in printed["fix"]


def test_fix_of_a_changed_plan_is_the_command_that_built_it(engine: Path, tiny: Any) -> None:
    cut_plan(engine)
    with pytest.raises(EngineError, match=r"model\.onnx was changed or damaged") as caught:
        open_engine(engine)
    command = f"fcn-edge build {tiny.path} --backend onnxruntime --precision fp32 --size 64x96 -o {engine}"
    assert caught.value.fix == f"Build it again: {command}"


@pytest.mark.parametrize("name", ["plan missing", "one bit of the plan", "one digit", "manifest cut off"])
def test_command_of_the_fix_repairs_it(
    engine: Path, tiny: Any, quick_builds: dict[str, float], onnxruntime_alone: None, name: str
) -> None:
    DAMAGES[name](engine)
    with pytest.raises(EngineError) as caught:
        open_engine(engine)
    command = caught.value.fix.removeprefix("Build it again: fcn-edge ")
    done = CliRunner().invoke(main, command.replace("MODEL", str(tiny.path)).split())
    assert done.exit_code == 0, done.output
    open_engine(engine).close()


def test_directory_that_is_no_engine_is_not_to_be_built_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(EngineError, match=r"is not an engine: it has no engine\.json") as caught:
        load(tmp_path)
    assert str(tmp_path) not in caught.value.fix
    assert "Give a shipped name, an .onnx file or an engine directory" in caught.value.fix


def test_command_quotes_what_a_shell_would_split(engine: Path) -> None:
    manifest = read_manifest(engine).model_copy(update={"model": "my model.onnx"})
    assert rebuild_fix(manifest, Path("the engine"), (32, 64)) == (
        "Build it again: "
        "fcn-edge build 'my model.onnx' --backend onnxruntime --precision fp32 --size 32x64 -o 'the engine'"
    )


def test_command_keeps_to_no_guard_and_names_no_table_of_shipped_models(int8_engine: Path) -> None:
    manifest = read_manifest(int8_engine)
    assert "--no-guard" not in rebuild_fix(manifest, int8_engine)
    unguarded = manifest.model_copy(update={"options": {"guard": False}, "model": "camvid-mobilenet_v2-fcn8s"})
    assert "--no-guard" in rebuild_fix(unguarded, int8_engine)
    assert "--calibration" not in rebuild_fix(unguarded, int8_engine)


def test_command_keeps_to_the_limits_and_says_which_images_judged(
    levels: Any, levels_val: Path, tmp_path: Path, quick_builds: dict[str, float], onnxruntime_alone: None
) -> None:
    request = BuildRequest(evaluation=split_of(levels_val), max_drop=0.002, max_class_drop=0.5)
    built = build_engine(levels.path, request, output=tmp_path / "e")
    fix = rebuild_fix(built.manifest, tmp_path / "e")
    said, _, command = fix.partition(": ")
    assert said == f"Build it again, where DIR holds {built.manifest.options['evaluated_on']}"
    assert "levels val (8 images, " in said
    assert " --eval DIR --max-drop 0.002 --max-class-drop 0.5 -o " in command
    words = command.removeprefix("fcn-edge ").replace("DIR", str(levels_val)).split()
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert read_manifest(tmp_path / "e").options["evaluated_on"] == built.manifest.options["evaluated_on"]


@pytest.mark.parametrize(
    "name",
    ["table missing", "table empty", "one digit of the table", "another table", "table is a link"],
)
@pytest.mark.parametrize("more", [lambda _: None, cut_plan], ids=["alone", "and the plan"])
def test_table_that_is_damaged_is_not_named_to_build_with(
    int8_engine: Path, levels: Any, name: str, more: Damage
) -> None:
    TABLE_DAMAGES[name](int8_engine)
    more(int8_engine)
    with pytest.raises(EngineError) as caught:
        open_engine(int8_engine)
    said, _, command = caught.value.fix.partition(": ")
    assert said.removeprefix("Remove it. ") == "Build it again, where TABLE is a copy of its calibration table"
    assert command.startswith(f"fcn-edge build {levels.path} ")
    assert " --calibration TABLE " in command


def test_verify_takes_what_was_built(engine: Path) -> None:
    verify_engine(engine, read_manifest(engine))


def test_unreadable_directory_is_an_engine_error(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(engine)

    def denied(self: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(EngineError, match="Permission denied"):
        verify_engine(engine, manifest)


def test_manifest_of_an_engine_for_one_frame_need_not_say_so(engine: Path) -> None:
    manifest = read_manifest(engine)
    assert manifest.batch == 1
    content = manifest.model_dump(mode="json")
    del content["batch"]
    assert type(manifest).from_content(content, "engine.json", EngineError) == manifest


def test_no_text_of_a_manifest_is_a_command(int8_engine: Path) -> None:
    """A manifest comes from others: what is pasted of a fix must build an engine and do nothing else."""
    manifest = read_manifest(int8_engine)
    hostile = "x; touch X #\x1b[2J\n'"
    changed = {"model": hostile, "backend": hostile, "precision": hostile}
    options = {"max_drop": hostile, "max_class_drop": "$(touch X)"}
    fix = rebuild_fix(manifest.model_copy(update={**changed, "options": options}), int8_engine / "a b")
    assert fix.isprintable()
    script = f"set -- {fix.partition(': fcn-edge ')[2]}; printf '%s\\0' \"$@\""
    words = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    assert words[:6] == ["build", hostile, "--backend", hostile, "--precision", hostile]
    assert words[words.index("--max-drop") + 1] == hostile
    assert words[words.index("--max-class-drop") + 1] == "$(touch X)"
    assert words[-1] == str(int8_engine / "a b")


def test_half_a_character_in_a_manifest_is_damage(int8_engine: Path) -> None:
    path = int8_engine / "engine.json"
    content = {**json.loads(path.read_text()), "backend": "\ud800"}
    write_document(path, content)
    with pytest.raises(EngineError, match="half a character"):
        read_manifest(int8_engine)
