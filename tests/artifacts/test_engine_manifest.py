from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, TABLE_FILE, read_manifest, rebuild_fix, verify_engine
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.opening import open_engine
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.cli.main import main
from fcn_edge.datasets import split_of
from fcn_edge.errors import DeviceError, EngineError, MachineError
from fcn_edge.io.documents import MOST_BYTES, document_text
from fcn_edge.runtime.segmenter import load

Damage = Callable[[Path], None]


@pytest.fixture(scope="session")
def whole(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "engine"
    build_engine(tiny.path, BuildRequest(backend="onnxruntime"), output=directory)
    return directory


@pytest.fixture
def int8_engine(levels_int8: Path, tmp_path: Path) -> Path:
    """A copy of a whole INT8 engine, to be damaged."""
    directory = tmp_path / "int8"
    shutil.copytree(levels_int8, directory)
    return directory


@pytest.fixture
def engine(whole: Path, tmp_path: Path) -> Path:
    """A copy of a whole engine, to be damaged."""
    directory = tmp_path / "engine"
    shutil.copytree(whole, directory)
    return directory


def text_of(engine: Path) -> str:
    return (engine / MANIFEST_FILE).read_text(encoding="utf-8")


def resealed(**changes: Any) -> Damage:
    """The manifest changed and sealed again: what its digest cannot tell."""

    def damage(engine: Path) -> None:
        content = json.loads(text_of(engine))
        for key, value in changes.items():
            if value is None:
                del content[key]
            else:
                content[key] = value(content[key]) if callable(value) else value
        (engine / MANIFEST_FILE).write_text(document_text(content), encoding="utf-8")

    return damage


def written(content: bytes) -> Damage:
    return lambda engine: (engine / MANIFEST_FILE).write_bytes(content) and None


def plan(engine: Path) -> Path:
    return engine / "model.onnx"


def cut_plan(engine: Path) -> None:
    plan(engine).write_bytes(plan(engine).read_bytes()[:-1])


def flip_bit_of_plan(engine: Path) -> None:
    data = bytearray(plan(engine).read_bytes())
    data[len(data) // 2] ^= 1
    plan(engine).write_bytes(data)


def empty_plan(engine: Path) -> None:
    plan(engine).write_bytes(b"")


def plan_as_link(engine: Path) -> None:
    plan(engine).rename(engine.parent / "elsewhere.onnx")
    plan(engine).symlink_to(engine.parent / "elsewhere.onnx")


def plan_as_directory(engine: Path) -> None:
    plan(engine).unlink()
    plan(engine).mkdir()


def plan_as_pipe(engine: Path) -> None:
    plan(engine).unlink()
    os.mkfifo(plan(engine))


def manifest_as_link(engine: Path) -> None:
    (engine / MANIFEST_FILE).rename(engine.parent / "elsewhere.json")
    (engine / MANIFEST_FILE).symlink_to(engine.parent / "elsewhere.json")


def manifest_as_directory(engine: Path) -> None:
    (engine / MANIFEST_FILE).unlink()
    (engine / MANIFEST_FILE).mkdir()


def digit_changed(engine: Path) -> None:
    text = text_of(engine)
    assert '"build_seconds": 0.' in text
    (engine / MANIFEST_FILE).write_text(text.replace('"build_seconds": 0.', '"build_seconds": 1.'), encoding="utf-8")


def renamed_file(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda files: {name: files["model.onnx"]}


DAMAGES: dict[str, Damage] = {
    "plan missing": lambda engine: plan(engine).unlink(),
    "plan cut off": cut_plan,
    "plan empty": empty_plan,
    "one bit of the plan": flip_bit_of_plan,
    "plan is a link": plan_as_link,
    "plan is a directory": plan_as_directory,
    "plan is a pipe": plan_as_pipe,
    "extra file": lambda engine: (engine / "notes.txt").write_text("mine") and None,
    "extra directory": lambda engine: (engine / "cache").mkdir(),
    "manifest missing": lambda engine: (engine / MANIFEST_FILE).unlink(),
    "manifest is a link": manifest_as_link,
    "manifest is a directory": manifest_as_directory,
    "manifest empty": written(b""),
    "manifest cut off": lambda engine: written(text_of(engine).encode()[:300])(engine),
    "manifest not UTF-8": written(b'{"digest": "\xff\xfe"}'),
    "manifest no object": written(b"[]"),
    "manifest without content": written(b"{}"),
    "manifest giant": written(b" " * (MOST_BYTES + 1)),
    "manifest deep": written(b'{"a":' * 50_000),
    "one digit": digit_changed,
    "key twice": lambda engine: written(text_of(engine).replace("{", '{"size": [1, 1],', 1).encode())(engine),
    "unknown key": lambda engine: (
        resealed()(engine) or written(document_text({**json.loads(text_of(engine)), "more": 1}).encode())(engine)
    ),
    "schema of the future": resealed(schema_version=3),
    "size missing": resealed(size=None),
    "size a word": resealed(size="large"),
    "size of three": resealed(size=[64, 96, 3]),
    "size odd": resealed(size=[64, 97]),
    "spec missing": resealed(spec=None),
    "spec damaged": resealed(spec=lambda spec: {**spec, "classes": 5}),
    "precision unknown": resealed(precision="fp8"),
    "precision not the spec's": resealed(precision="fp16"),
    "backend unknown": resealed(backend="abacus"),
    "backend a number": resealed(backend=7),
    "hash too short": resealed(files=lambda files: {"model.onnx": {**files["model.onnx"], "sha256": "abc"}}),
    "hash of something else": resealed(files=lambda files: {"model.onnx": {**files["model.onnx"], "sha256": "0" * 64}}),
    "length wrong": resealed(files=lambda files: {"model.onnx": {**files["model.onnx"], "bytes": 1}}),
    "no files": resealed(files={}),
    "files a list": resealed(files=["model.onnx"]),
    "path out of the directory": resealed(files=renamed_file("../elsewhere.onnx"), plan_file="../elsewhere.onnx"),
    "absolute path": resealed(files=renamed_file("/etc/passwd"), plan_file="/etc/passwd"),
    "path into a directory": resealed(files=renamed_file("a/model.onnx"), plan_file="a/model.onnx"),
    "manifest lists itself": resealed(files=lambda files: {**files, MANIFEST_FILE: files["model.onnx"]}),
    "plan not listed": resealed(plan_file="other.onnx"),
    "name with a zero byte": resealed(files=renamed_file("model\0.onnx"), plan_file="model\0.onnx"),
    "device without a kind": resealed(device={"name": "x"}),
    "seconds not finite": resealed(build_seconds="inf"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_an_engine_error_of_one_sentence(
    engine: Path, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(engine)

    def opened(*_: Any, **__: Any) -> None:
        pytest.fail("a damaged engine reached the deserializer")

    monkeypatch.setattr(OnnxRuntime, "open", opened)
    for use in (load, open_engine):
        with pytest.raises(EngineError) as caught:
            use(engine)
        assert caught.value.exit_code == 3
        assert caught.value.fix
        assert "\n" not in caught.value.fix
        assert "\n" not in caught.value.message
        assert caught.value.message.endswith(".")


def table(engine: Path) -> Path:
    return engine / TABLE_FILE


def digit_of_table_changed(engine: Path) -> None:
    text = table(engine).read_text(encoding="utf-8")
    assert '"rms": 0.' in text
    table(engine).write_text(text.replace('"rms": 0.', '"rms": 1.', 1), encoding="utf-8")


def table_of_another(engine: Path) -> None:
    content = json.loads(table(engine).read_text(encoding="utf-8"))
    table(engine).write_text(document_text({**content, "chosen": "otherwise"}), encoding="utf-8")


def table_as_link(engine: Path) -> None:
    table(engine).rename(engine.parent / "elsewhere.json")
    table(engine).symlink_to(engine.parent / "elsewhere.json")


TABLE_DAMAGES: dict[str, Damage] = {
    "table missing": lambda engine: table(engine).unlink(),
    "table empty": lambda engine: table(engine).write_bytes(b"") and None,
    "table cut off": lambda engine: table(engine).write_bytes(table(engine).read_bytes()[:-5]) and None,
    "one digit of the table": digit_of_table_changed,
    "table of another, sealed": table_of_another,
    "table is a link": table_as_link,
    "table not listed": resealed(files=lambda files: {"model.onnx": files["model.onnx"]}),
    "plan missing": lambda engine: plan(engine).unlink(),
    "one bit of the plan": flip_bit_of_plan,
    "share beyond 1": resealed(int8_share=1.5),
    "digest of the table too short": resealed(calibration_digest="abc"),
    "image hash too short": resealed(calibration_images=["abc"]),
    "profile missing": resealed(spec=lambda spec: {**spec, "profile": None}),
}


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
def test_command_of_the_fix_mends_an_int8_engine(
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


def test_whole_engine_opens(engine: Path, tiny: Any) -> None:
    with open_engine(engine) as opened, opened.session() as session:
        assert (opened.spec, opened.size, opened.backend) == (tiny.spec, (64, 96), "onnxruntime")
        image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
        np.testing.assert_allclose(session.scores(image), tiny.scores(image), atol=1e-3)


def test_engine_may_be_moved_and_linked(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    moved = engine.rename(tmp_path / "deeper" / "renamed engine")
    (tmp_path / "current").symlink_to(moved)
    for path in (moved, tmp_path / "current"):
        open_engine(path).close()


def test_what_a_build_would_not_replace_is_to_be_removed_first(engine: Path, tmp_path: Path) -> None:
    plan = engine / "model.onnx"
    plan.rename(tmp_path / "elsewhere.onnx")
    plan.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(EngineError, match="not a regular file") as caught:
        open_engine(engine)
    assert caught.value.fix.startswith("Remove it. Build it again: fcn-edge build ")


def test_fix_of_a_changed_plan_is_the_command_that_built_it(engine: Path, tiny: Any) -> None:
    cut_plan(engine)
    with pytest.raises(EngineError, match=r"model\.onnx was changed or damaged") as caught:
        open_engine(engine)
    command = f"fcn-edge build {tiny.path} --backend onnxruntime --precision fp32 --size 64x96 -o {engine}"
    assert caught.value.fix == f"Build it again: {command}"


@pytest.mark.parametrize("name", ["plan missing", "one bit of the plan", "one digit", "manifest cut off"])
def test_command_of_the_fix_mends_it(engine: Path, tiny: Any, name: str) -> None:
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
    "name", ["table missing", "table empty", "one digit of the table", "table of another, sealed", "table is a link"]
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


def test_another_version_of_the_library_is_refused(engine: Path) -> None:
    resealed(library="1.0.0")(engine)
    with pytest.raises(EngineError, match=r"built with onnxruntime 1\.0\.0, and .* is installed") as caught:
        open_engine(engine)
    assert "fcn-edge build" in caught.value.fix


def test_missing_kind_of_device_is_a_device_error(engine: Path) -> None:
    resealed(device={"kind": "cuda", "name": "Orin", "capability": "8.7"})(engine)
    with pytest.raises(DeviceError, match=r"cuda device \(Orin\)") as caught:
        open_engine(engine)
    assert caught.value.exit_code == 6


def test_int8_of_another_instruction_set_is_refused(engine: Path) -> None:
    resealed(
        precision="int8",
        spec=lambda spec: {**spec, "precision": "int8", "profile": "x"},
        device={"kind": "cpu", "name": "Xeon", "capability": "made-up"},
    )(engine)
    with pytest.raises(EngineError, match="built for Xeon: its int8 graph is for processors with made-up"):
        open_engine(engine)


def test_fp32_of_another_processor_runs(engine: Path) -> None:
    resealed(device={"kind": "cpu", "name": "Xeon", "capability": "made-up"})(engine)
    open_engine(engine).close()


def test_missing_library_is_a_machine_error(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fcn_edge.backends.base import Probe

    monkeypatch.setattr(OnnxRuntime, "probe", lambda *_: Probe("", problem="It is not installed.", fix="Install."))
    with pytest.raises(MachineError, match="not installed") as caught:
        open_engine(engine)
    assert caught.value.exit_code == 6


def test_checks_come_in_their_order(engine: Path, tiny: Any) -> None:
    """Hashes, then the library, then the kind of device."""
    resealed(library="1.0.0", device={"kind": "cuda", "name": "Orin", "capability": "8.7"})(engine)
    cut_plan(engine)
    with pytest.raises(EngineError, match="SHA-256"):
        open_engine(engine)
    shutil.copyfile(tiny.path, plan(engine))
    with pytest.raises(EngineError, match=r"built with onnxruntime 1\.0\.0"):
        open_engine(engine)
    resealed(library=OnnxRuntime().probe().version)(engine)
    with pytest.raises(DeviceError, match="finds none here"):
        open_engine(engine)


def test_verify_takes_what_was_built(engine: Path) -> None:
    verify_engine(engine, read_manifest(engine))


def test_unreadable_directory_is_an_engine_error(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(engine)

    def denied(self: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(EngineError, match="Permission denied"):
        verify_engine(engine, manifest)
