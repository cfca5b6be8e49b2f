from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.io.images import images_among, is_picture
from fcn_edge.io.images.kinds import GIF
from fcn_edge.io.images.support import is_built_in
from tests.image_files import boxes, encoded, gif, noisy_jpeg, picture

JPEG = encoded(".jpg", picture())


def test_files_are_images_by_their_content(tmp_path: Path) -> None:
    for name in ("a.jfif", "b", "c.JPG", "d.jpeg_large", "e.ppm"):
        (tmp_path / name).write_bytes(encoded(".ppm", picture()) if name == "e.ppm" else JPEG)
    (tmp_path / "notes.txt").write_text("P1 is a plan")
    (tmp_path / ".hidden").write_bytes(JPEG)
    (tmp_path / "folder").mkdir()
    found = images_among(tmp_path.iterdir())
    assert [path.name for path in found.files] == ["a.jfif", "b", "c.JPG", "d.jpeg_large", "e.ppm"]
    assert found.note(tmp_path) == ""


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(boxes(b"heic", b"mif1"))
    (tmp_path / "b.mp4").write_bytes(boxes(b"isom"))
    (tmp_path / "c.jpg~").write_bytes(JPEG)
    (tmp_path / "d.png").symlink_to(tmp_path / "absent.png")
    found = images_among(tmp_path.iterdir())
    assert (found.files, found.absent) == ([], [tmp_path / "d.png"])
    note = found.note(tmp_path)
    assert note.startswith(
        f"4 files are left out of {tmp_path}: a.heic is a HEIC photo, b.mp4 is a video, c.jpg~ is no finished file by "
        "its name and 1 more."
    )
    assert "heif-convert" in note


@pytest.mark.parametrize(
    ("name", "content", "is_one"),
    [
        ("photo", JPEG, True),
        ("photo.jfif", JPEG, True),
        ("photo.mp4", JPEG, True),
        ("photo.heic", boxes(b"heic"), True),
        ("drive.mp4", boxes(b"isom"), False),
        ("drive.jpg", boxes(b"isom"), False),
        ("drive.mjpeg", noisy_jpeg() * 2, False),
        ("photo.jpg", b"text", True),
        ("text.txt", b"text", False),
    ],
)
def test_content_decides_who_reads_a_file(tmp_path: Path, name: str, content: bytes, is_one: bool) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_picture(tmp_path / name) is is_one


@pytest.mark.parametrize(("pictures", "background"), [(1, 0), (1, 255), (2, 0)])
def test_a_still_gif_is_an_image_where_opencv_reads_it(tmp_path: Path, pictures: int, background: int) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif(pictures, background))
    assert is_picture(path) is (is_built_in(GIF) and pictures == 1)
    assert images_among(tmp_path.iterdir()).files == ([path] if is_built_in(GIF) else [])
