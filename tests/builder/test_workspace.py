from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE
from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.builder import workspace as workspace_module
from fcn_edge.builder.target import target_at
from fcn_edge.builder.workspace import check_replaceable, engine_workspace, place_engine
from fcn_edge.errors import MachineError, UsageError


def fresh(workspace: Path) -> Path:
    directory = workspace / "fresh"
    directory.mkdir()
    (directory / MANIFEST_FILE).write_text("new")
    return directory


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_engine_takes_its_place(tmp_path: Path) -> None:
    target = tmp_path / "engines" / "deep" / "e"
    with engine_workspace(target.parent) as workspace:
        place_engine(fresh(workspace), target)
    assert (target / MANIFEST_FILE).read_text() == "new"
    assert names(target.parent) == ["e"]


def test_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    with engine_workspace(tmp_path) as workspace:
        place_engine(fresh(workspace), tmp_path / "e")
    assert names(tmp_path / "e") == [MANIFEST_FILE]


def test_engine_is_replaced_whole(engine: Path) -> None:
    with engine_workspace(engine.parent) as workspace:
        place_engine(fresh(workspace), engine)
        assert names(engine) == [MANIFEST_FILE]
    assert names(engine.parent) == ["engine"]


def test_engine_is_replaced_where_two_steps_are_needed(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_module, "exchanged", lambda *_: False)
    test_engine_is_replaced_whole(engine)


def test_engine_is_on_the_disk_before_it_takes_its_place(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = os.fsync, []

    def fsync(descriptor: int) -> None:
        seen.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with engine_workspace(engine.parent) as workspace:
        new = fresh(workspace)
        place_engine(new, engine)
    assert seen == [new / MANIFEST_FILE, new, engine.parent]


def test_no_engine_in_an_engine(engine: Path) -> None:
    with pytest.raises(UsageError, match="lies in the engine"):
        check_replaceable(target_at(engine / "other"))


def test_engine_behind_a_link_is_replaced_and_the_link_stays(engine: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(engine)
    with engine_workspace(tmp_path) as workspace:
        place_engine(fresh(workspace), link)
    assert link.is_symlink()
    assert names(engine) == [MANIFEST_FILE]


def test_old_engine_stays_when_the_new_one_cannot_be_put_there(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in engine.iterdir()}
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(source).name == "fresh":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(workspace_module, "exchanged", lambda *_: False)
    with pytest.raises(MachineError, match="disk is full"), engine_workspace(engine.parent) as workspace:
        place_engine(fresh(workspace), engine)
    assert {path.name: path.read_bytes() for path in engine.iterdir()} == before
    assert names(engine.parent) == ["engine"]


@pytest.mark.parametrize("damage", ["", "{", '{"files": 5}'], ids=["empty", "cut off", "wrong"])
def test_damaged_engine_may_be_replaced(engine: Path, damage: str) -> None:
    (engine / MANIFEST_FILE).write_text(damage)
    check_replaceable(target_at(engine))


@pytest.mark.parametrize("name", BACKENDS)
def test_damaged_engine_of_any_backend_may_be_replaced(tmp_path: Path, name: str) -> None:
    made = backend(name)
    for file in (MANIFEST_FILE, made.plan_file, *made.extra_files):
        (tmp_path / file).touch()
    check_replaceable(target_at(tmp_path))


def test_nothing_and_an_engine_may_be_replaced(engine: Path, tmp_path: Path) -> None:
    check_replaceable(target_at(tmp_path / "nothing"))
    check_replaceable(target_at(engine))
    (engine / "model.onnx").unlink()
    check_replaceable(target_at(engine))


def directory_of_photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    return tmp_path / "photos"


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def engine_with_notes(tmp_path: Path) -> Path:
    (tmp_path / "engine" / "notes.txt").touch()
    return tmp_path / "engine"


def engine_with_directory(tmp_path: Path) -> Path:
    (tmp_path / "engine" / "model.onnx").unlink()
    (tmp_path / "engine" / "model.onnx").mkdir()
    return tmp_path / "engine"


def engine_with_link(tmp_path: Path) -> Path:
    (tmp_path / "engine" / "model.onnx").unlink()
    (tmp_path / "engine" / "model.onnx").symlink_to("/etc/passwd")
    return tmp_path / "engine"


def damaged_engine_with_notes(tmp_path: Path) -> Path:
    (tmp_path / "engine" / MANIFEST_FILE).write_text("")
    return engine_with_notes(tmp_path)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "make",
    [
        directory_of_photos,
        a_file,
        engine_with_notes,
        engine_with_directory,
        engine_with_link,
        damaged_engine_with_notes,
    ],
)
def test_what_is_no_engine_is_never_touched(tmp_path: Path, make: Any) -> None:
    target = make(tmp_path)
    before = sorted(str(path) for path in target.rglob("*"))
    with pytest.raises(UsageError, match=str(target)) as caught:
        check_replaceable(target_at(target))
    assert "-o" in caught.value.fix
    with pytest.raises(UsageError), engine_workspace(tmp_path) as workspace:
        place_engine(fresh(workspace), target)
    assert sorted(str(path) for path in target.rglob("*")) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError(), OSError(errno.EIO, "Input/output error")])
def test_workspace_vanishes_with_an_error(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with engine_workspace(tmp_path) as workspace:
            (workspace / "part").mkdir()
            raise error

    with pytest.raises(type(error)):
        fail()
    assert names(tmp_path) == []


def test_workspace_in_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="No engine could be written"), engine_workspace(tmp_path / "file" / "engines"):
        pytest.fail("there is no such directory")


def test_full_disk_is_a_machine_error(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="disk is full"), engine_workspace(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []
