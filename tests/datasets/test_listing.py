from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.datasets.listing import images_in
from tests.image_files import boxes, encoded, picture

JPEG = encoded(".jpg", picture())


def test_images_are_told_by_their_content_and_the_rest_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b.jfif", "a.jpg", "below/c"):
        (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "d.heic").write_bytes(boxes(b"heic"))
    assert [path.name for path in images_in(tmp_path)] == ["a.jpg", "b.jfif"]
    assert [path.name for path in images_in(tmp_path, below=True)] == ["a.jpg", "b.jfif", "c"]
    assert [record.getMessage() for record in caplog.records] == [
        f"1 file is left out of {tmp_path}: d.heic is a HEIC photo. Convert it to JPEG, such as with: "
        "heif-convert FILE.heic FILE.jpg (apt-get install libheif-examples). An iPhone takes JPEGs with Settings, "
        "Camera, Formats, Most Compatible."
    ]


def test_a_broken_link_that_is_called_like_an_image_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "absent.png")
    assert images_in(tmp_path) == [tmp_path / "a.png"]
