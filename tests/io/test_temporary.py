from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fcn_edge.io import temporary
from fcn_edge.io.temporary import remove_leftovers, temporary_directory, temporary_file

HERE = temporary._boot()
ELSEWHERE = "0badb007"
TOKEN = "0123456789abcdef"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_and_a_directory_vanish_with_the_block(tmp_path: Path) -> None:
    with temporary_file(tmp_path, ".onnx") as file, temporary_directory(tmp_path) as directory:
        assert file.suffix == ".onnx"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        (directory / "deep").mkdir()
        (directory / "deep" / "file").touch()
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == []


def test_what_is_held_stays_and_what_nobody_holds_goes(tmp_path: Path) -> None:
    (tmp_path / f".fcn-edge-{HERE}-{TOKEN}.tmp.mp4").write_text("half")
    left = tmp_path / f".fcn-edge-{HERE}-{TOKEN}.tmp"
    left.mkdir()
    (left / "model.onnx").write_text("half")
    with temporary_file(tmp_path) as file, temporary_directory(tmp_path) as directory:
        remove_leftovers(tmp_path)
        assert names(tmp_path) == sorted([file.name, directory.name])


def test_the_first_write_into_a_directory_removes_what_was_left(tmp_path: Path) -> None:
    (tmp_path / f".fcn-edge-{HERE}-{TOKEN}.tmp.csv").write_text("half")
    with temporary_file(tmp_path):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        ".fcn-edge.toml",
        f"fcn-edge-{HERE}-{TOKEN}.tmp",
        f".fcn-edge-{HERE}-{TOKEN}.txt",
        f".fcn-edge-{HERE}-{TOKEN}.tmp.mp4.bak",
        f".fcn-edge-{HERE}-{TOKEN[:-1]}.tmp",
        ".net.4711.tmp.pt",
    ],
)
def test_files_of_other_names_are_somebody_elses(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [name]


def test_links_and_pipes_are_left_and_waited_for_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / f".fcn-edge-{HERE}-{TOKEN}.tmp").symlink_to("precious")
    os.mkfifo(tmp_path / f".fcn-edge-{HERE}-{TOKEN}.tmp.png")
    before = names(tmp_path)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == before
    assert (tmp_path / "precious").read_text() == "precious"


def test_what_another_machine_may_hold_stays_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / f".fcn-edge-{ELSEWHERE}-{TOKEN}.tmp.onnx"
    path.write_text("half")
    remove_leftovers(tmp_path)
    assert path.exists()
    old = time.time() - temporary.FOREIGN_SECONDS - 60
    os.utime(path, (old, old))
    remove_leftovers(tmp_path)
    assert not path.exists()


def test_what_is_cleared_away_before_it_is_locked_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making a file and locking it, another process may take it for a leftover."""
    real, seen = fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append(path)
        if len(seen) == 1:
            path.unlink()
        elif len(seen) == 2:
            raise BlockingIOError
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with temporary_file(tmp_path) as file:
        assert file.exists()
        assert len({*seen}) == 3
        assert file == seen[2]


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / f".fcn-edge-{HERE}-{TOKEN}.tmp").write_text("whose?")
    with temporary_file(tmp_path) as file:
        assert file.exists()
    assert names(tmp_path) == [f".fcn-edge-{HERE}-{TOKEN}.tmp"]


def test_an_absent_directory_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "absent")


@pytest.mark.system
def test_a_killed_process_leaves_what_the_next_one_removes(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from fcn_edge.io.temporary import temporary_directory, temporary_file\n"
        "with temporary_file(pathlib.Path(sys.argv[1])), temporary_directory(pathlib.Path(sys.argv[1])):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        remove_leftovers(tmp_path)
        assert len(names(tmp_path)) == 2
        process.kill()
    assert len(names(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []
