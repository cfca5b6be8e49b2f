from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from fcn_edge.runtime.sinks.video_file import VideoFile


def no_limit(_growth: int) -> None:
    pass


@pytest.fixture
def file(tmp_path: Path) -> VideoFile:
    return VideoFile(tmp_path / "out.mp4", no_limit)


def test_what_is_written_is_on_disk_at_once(file: VideoFile, tmp_path: Path) -> None:
    assert file.write(b"header") == 6
    assert (tmp_path / "out.mp4").read_bytes() == b"header"
    assert file.seek(2) == file.tell() == 2
    file.write(b"AD")
    assert (tmp_path / "out.mp4").read_bytes() == b"heADer"
    assert (file.size, file.tell()) == (6, 4)
    assert file.seek(0, os.SEEK_END) == 6
    file.close()
    assert file.closed


def test_room_is_made_for_what_it_grows_by(tmp_path: Path) -> None:
    grown: list[int] = []
    file = VideoFile(tmp_path / "out.mp4", grown.append)
    file.write(b"123456")
    file.seek(4)
    file.write(b"56789")
    file.seek(0)
    file.write(b"123")
    assert grown == [6, 3]
    file.close()


def test_what_is_abandoned_is_cut_where_it_plays(file: VideoFile, tmp_path: Path) -> None:
    file.write(b"complete")
    file.complete()
    file.write(b"half")
    file.abandon()
    file.abandon()
    assert (tmp_path / "out.mp4").read_bytes() == b"complete"


def test_of_what_never_played_nothing_is_left(file: VideoFile, tmp_path: Path) -> None:
    file.write(b"half")
    file.abandon()
    assert not (tmp_path / "out.mp4").exists()


def test_nothing_is_written_after_a_failure(file: VideoFile, tmp_path: Path) -> None:
    file.write(b"123")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.write(b"4567")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.seek(0)
    with pytest.raises(OSError, match="File too large"):
        file.write(b"X")
    assert (tmp_path / "out.mp4").read_bytes() == b"12345"
    file.close()


def test_it_may_be_told_to_take_nothing_more(file: VideoFile) -> None:
    file.fail()
    with pytest.raises(OSError, match="Input/output error"):
        file.write(b"1")
    file.close()


def test_a_new_one_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"older")
    with pytest.raises(FileExistsError):
        VideoFile(tmp_path / "out.mp4", no_limit, new=True)
    assert (tmp_path / "out.mp4").read_bytes() == b"older"
    VideoFile(tmp_path / "out.mp4", no_limit).close()
    assert (tmp_path / "out.mp4").read_bytes() == b""
