"""Images as a SOURCE: who reads a file, and what is told of it."""

from __future__ import annotations

import logging
import platform
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.sources import open_source
from tests.image_files import boxes, damaged_jpeg, encoded, picture, turned


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("name", ["photo", "photo.jfif", "photo.mp4"])
def test_a_photo_of_any_name_is_upright_and_keeps_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(turned(encoded(".jpg", picture()), 6))
    with open_source(tmp_path / name) as source:
        (frame,) = source
    assert (frame.name, frame.image.shape) == ("photo", (60, 40, 3))


@pytest.mark.parametrize("name", ["photo.heic", "photo.jpg", "photo"])
def test_a_heic_photo_is_refused_by_its_content(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(boxes(b"heic", b"mif1"))
    with pytest.raises(SourceError, match="is a HEIC photo") as caught:
        open_source(tmp_path / name)
    assert "heif-convert" in caught.value.fix


def test_a_folder_names_once_what_it_leaves_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.jpg", "b.jfif", "c"):
        (tmp_path / name).write_bytes(encoded(".jpg", picture()))
    (tmp_path / "d.heic").write_bytes(boxes(b"heic"))
    with open_source(tmp_path) as source:
        assert [frame.name for frame in source] == ["a", "b", "c"]
    (warning,) = warnings(caplog)
    assert "1 file is left out" in warning
    assert "d.heic is a HEIC photo" in warning


def test_a_folder_of_what_is_not_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "d.heic").write_bytes(boxes(b"heic"))
    with pytest.raises(SourceError, match=r"holds no image that can be read.*d\.heic is a HEIC photo"):
        open_source(tmp_path)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_damaged_photo_is_read_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.jpg").write_bytes(damaged_jpeg())
    with open_source(tmp_path / "photo.jpg") as source:
        assert len(list(source)) == 1
    (warning,) = warnings(caplog)
    assert f"{tmp_path / 'photo.jpg'} is damaged" in warning
    assert capfd.readouterr().err == ""


def test_a_camera_of_twelve_bits_is_told_once_and_can_be_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = picture()[:, :, 2].astype(np.uint16) * 16 + 15
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encoded(".png", scene))
    with open_source(tmp_path) as source:
        assert [int(frame.image.max()) for frame in source] == [15, 15]
    (warning,) = warnings(caplog)
    assert "#bits=12" in warning
    caplog.clear()
    with open_source(f"{tmp_path}#bits=12") as source:
        assert all((frame.image == picture()[:, :, 2:]).all() for frame in source)
    assert warnings(caplog) == []


def test_nothing_is_told_again_when_a_folder_is_played_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.png").write_bytes(encoded(".png", picture()[:, :, 2].astype(np.uint16) * 16))
    (tmp_path / "b.heic").write_bytes(boxes(b"heic"))
    with open_source(f"{tmp_path}#loop=3") as source:
        assert len(list(source)) == 3
    assert len(warnings(caplog)) == 2


def test_a_folder_is_played_to_its_last_round_without_what_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, content in (
        ("a.png", encoded(".png", picture())),
        ("b.png", b"none"),
        ("c.png", encoded(".png", picture())),
    ):
        (tmp_path / name).write_bytes(content)
    with open_source(f"{tmp_path}#loop=2") as source:
        assert [next(source).name for _ in range(4)] == ["a", "c", "a", "c"]
        with pytest.raises(SourceError, match=r"1 of 3 images .* cannot be read: b\.png"):
            next(source)
    assert source.damaged == 2
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("bits", ["7", "17", "twelve"])
def test_bits_that_no_file_has(tmp_path: Path, bits: str) -> None:
    (tmp_path / "a.png").write_bytes(encoded(".png", picture()))
    with pytest.raises(UsageError, match="from 8 to 16"):
        open_source(f"{tmp_path / 'a.png'}#bits={bits}")


def test_bits_are_none_of_a_videos_business(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(boxes(b"isom"))
    with pytest.raises(UsageError, match="bits is for images"):
        open_source(f"{tmp_path / 'a.mp4'}#bits=12")
