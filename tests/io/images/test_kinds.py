from __future__ import annotations

import pytest

from fcn_edge.io.images.kinds import is_video, kind_of
from tests.image_files import boxes, encoded, picture


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".jpg", "a JPEG image"),
        (".png", "a PNG image"),
        (".bmp", "a BMP image"),
        (".webp", "a WebP image"),
        (".tiff", "a TIFF image"),
        (".ppm", "a PNM image"),
    ],
)
def test_a_kind_that_is_read_is_told_by_its_first_bytes(suffix: str, name: str) -> None:
    kind = kind_of(encoded(suffix, picture())[:1024])
    assert kind is not None
    assert (kind.name, kind.readable) == (name, True)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (boxes(b"heic", b"mif1"), "a HEIC photo"),
        (boxes(b"mif1", b"heic"), "a HEIC photo"),
        (boxes(b"crx "), "a camera's raw photo"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw photo"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw photo"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg width='3'>", "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image"),
        (b"#?RADIANCE\n", "a Radiance HDR image"),
        (bytes(128) + b"DICM", "a DICOM image"),
    ],
)
def test_a_kind_that_is_not_read_is_named_with_a_way_out(head: bytes, name: str) -> None:
    kind = kind_of(head)
    assert kind is not None
    assert (kind.name, kind.readable) == (name, False)
    assert kind.fix


def test_an_avif_file_may_begin_with_the_brand_of_heif() -> None:
    for head in (boxes(b"avif"), boxes(b"mif1", b"avif")):
        kind = kind_of(head)
        assert kind is not None
        assert kind.name == "an AVIF image"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"hello",
        b"BM is what this text begins with",
        b"P1 is a plan",
        b"<!DOCTYPE html><html><svg width='3'>",
        boxes(b"isom", b"mif1"),
        boxes(b"qt  "),
        bytes(1024),
    ],
)
def test_texts_and_videos_are_no_pictures(head: bytes) -> None:
    assert kind_of(head) is None


@pytest.mark.parametrize(
    ("head", "video"),
    [
        (boxes(b"isom"), True),
        (b"RIFF\0\0\0\0AVI LIST", True),
        (b"\x1a\x45\xdf\xa3" + bytes(40), True),
        ((b"G" + bytes(187)) * 3, True),
        ((bytes(4) + b"G" + bytes(187)) * 3, True),
        (boxes(b"heic"), False),
        (b"RIFF\0\0\0\0WEBPVP8 ", False),
        (b"Get the keys", False),
        (b"", False),
    ],
)
def test_the_usual_videos_are_known(head: bytes, video: bool) -> None:
    assert is_video(head) is video
