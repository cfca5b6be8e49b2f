"""Engines to be damaged, and ways to damage them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, TABLE_FILE
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.io.documents import MOST_BYTES, document_text

from .quick_builds import make_builds_quick

Damage = Callable[[Path], None]


@pytest.fixture(scope="session")
def whole(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("whole") / "engine"
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_builds_quick(monkeypatch)
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


def rewritten(**changes: Any) -> Damage:
    """The manifest changed, with a digest that fits: what the digest cannot tell."""

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
        rewritten()(engine) or written(document_text({**json.loads(text_of(engine)), "more": 1}).encode())(engine)
    ),
    "schema of the future": rewritten(schema_version=3),
    "size missing": rewritten(size=None),
    "size a word": rewritten(size="large"),
    "size of three": rewritten(size=[64, 96, 3]),
    "size odd": rewritten(size=[64, 97]),
    "spec missing": rewritten(spec=None),
    "spec damaged": rewritten(spec=lambda spec: {**spec, "classes": 5}),
    "precision unknown": rewritten(precision="fp8"),
    "precision not the spec's": rewritten(precision="fp16"),
    "backend unknown": rewritten(backend="abacus"),
    "backend a number": rewritten(backend=7),
    "hash too short": rewritten(files=lambda files: {"model.onnx": {**files["model.onnx"], "sha256": "abc"}}),
    "another hash": rewritten(files=lambda files: {"model.onnx": {**files["model.onnx"], "sha256": "0" * 64}}),
    "length wrong": rewritten(files=lambda files: {"model.onnx": {**files["model.onnx"], "bytes": 1}}),
    "no files": rewritten(files={}),
    "files a list": rewritten(files=["model.onnx"]),
    "path out of the directory": rewritten(files=renamed_file("../elsewhere.onnx"), plan_file="../elsewhere.onnx"),
    "absolute path": rewritten(files=renamed_file("/etc/passwd"), plan_file="/etc/passwd"),
    "path into a directory": rewritten(files=renamed_file("a/model.onnx"), plan_file="a/model.onnx"),
    "manifest lists itself": rewritten(files=lambda files: {**files, MANIFEST_FILE: files["model.onnx"]}),
    "plan not listed": rewritten(plan_file="other.onnx"),
    "name with a zero byte": rewritten(files=renamed_file("model\0.onnx"), plan_file="model\0.onnx"),
    "device without a kind": rewritten(device={"name": "x"}),
    "seconds not finite": rewritten(build_seconds="inf"),
}


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
    "another table": table_of_another,
    "table is a link": table_as_link,
    "table not listed": rewritten(files=lambda files: {"model.onnx": files["model.onnx"]}),
    "plan missing": lambda engine: plan(engine).unlink(),
    "one bit of the plan": flip_bit_of_plan,
    "share beyond 1": rewritten(int8_share=1.5),
    "digest of the table too short": rewritten(calibration_digest="abc"),
    "image hash too short": rewritten(calibration_images=["abc"]),
    "profile missing": rewritten(spec=lambda spec: {**spec, "profile": None}),
}
