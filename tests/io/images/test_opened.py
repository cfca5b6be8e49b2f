"""What headers say, before anything is decoded."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from fcn_edge.errors import DatasetError
from fcn_edge.io.images.facts import Facts
from fcn_edge.io.images.kinds import kind_of
from fcn_edge.io.images.opened import opened, pictures_in
from tests.image_files import boxes, chunk, encoded, gif, noisy_jpeg, picture, tiff_header, turned

LOSSLESS_WEBP = (cv2.IMWRITE_WEBP_QUALITY, 101)
NO_COMPRESSION = (cv2.IMWRITE_TIFF_COMPRESSION, 1)
JPEG_IN_TIFF = (cv2.IMWRITE_TIFF_COMPRESSION, 7, 278, 16)  # IMWRITE_TIFF_ROWSPERSTRIP, which OpenCV 4.8 does not name

FILES = {
    "JPEG": encoded(".jpg", picture()),
    "progressive JPEG": encoded(".jpg", picture(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "PNG": encoded(".png", picture()),
    "BMP": encoded(".bmp", picture()),
    "gray BMP": encoded(".bmp", picture()[:, :, 0]),
    "WebP": encoded(".webp", picture(), cv2.IMWRITE_WEBP_QUALITY, 80),
    "lossless WebP": encoded(".webp", picture(), *LOSSLESS_WEBP),
    "TIFF": encoded(".tiff", picture()),
    "plain TIFF": encoded(".tiff", picture(), *NO_COMPRESSION),
    "JPEG in TIFF": encoded(".tiff", picture(), *JPEG_IN_TIFF),
    "PPM": encoded(".ppm", picture()),
    "PGM": encoded(".pgm", picture()[:, :, 0]),
    "PAM": encoded(".pam", picture()),
}
LOSSY = {"JPEG", "progressive JPEG", "WebP", "JPEG in TIFF"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def refusal(path: Path, content: bytes) -> DatasetError:
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        opened(path)
    assert str(path) in caught.value.message
    assert caught.value.fix
    return caught.value


def opened_with_peak(path: Path) -> tuple[Facts, int]:
    """What a file says, and the most bytes that were allocated meanwhile."""
    tracemalloc.start()
    try:
        return opened(path).facts, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FILES)
def test_size_and_loss(path: Path, name: str) -> None:
    path.write_bytes(FILES[name])
    facts = opened(path).facts
    assert (facts.height, facts.width, facts.top, facts.orientation, facts.pictures) == (40, 60, 255, 1, 1)
    assert facts.lossy == (name in LOSSY)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.3, 0.6])
def test_a_file_that_lacks_its_end(path: Path, name: str, kept: float) -> None:
    content = FILES[name]
    assert "cut off" in refusal(path, content[: int(len(content) * kept)]).message


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_orientation(path: Path, name: str, orientation: int) -> None:
    path.write_bytes(turned(FILES[name], orientation))
    assert opened(path).facts.orientation == orientation


@pytest.mark.parametrize("order", "<>")
def test_a_tiff_file_of_either_byte_order(path: Path, order: str) -> None:
    entries = {256: (4, 7), 257: (3, 5), 258: (3, 16), 259: (3, 1), 273: (4, 8), 279: (4, 20), 274: (3, 3)}
    path.write_bytes(tiff_header(entries, order))
    facts = opened(path).facts
    assert (facts.height, facts.width, facts.top, facts.orientation) == (5, 7, 65535, 3)


def test_every_changed_bit_of_a_deflated_tiff_file_is_seen(path: Path) -> None:
    content = encoded(".tiff", picture(), cv2.IMWRITE_TIFF_COMPRESSION, 8)
    path.write_bytes(content)
    assert opened(path).facts.height == 40
    start = content.index(b"\x78")  # of the first strip, which lies behind the header
    for at in range(start, start + 200, 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :])
        assert "does not match its own checksum" in refusal(path, path.read_bytes()).message


def test_a_raw_photo_in_the_clothes_of_tiff(path: Path) -> None:
    sides = {256: (4, 160), 257: (4, 120)}
    for entries in ({**sides, 50706: (4, 1)}, {**sides, 254: (4, 1), 330: (4, 8)}):
        assert "raw photo" in refusal(path, tiff_header(entries)).message


def test_values_without_a_range(path: Path) -> None:
    content = encoded(".tiff", picture().astype(np.float32))
    refused = refusal(path, content)
    assert "floating-point" in refused.message
    assert "class ids with 8 or 16 bits" in refused.fix


@pytest.mark.parametrize("side", [23171, 65535, 1 << 30])
def test_pixels_are_bounded_before_anything_is_decoded(path: Path, side: int) -> None:
    content = FILES["PNG"]
    header = chunk(b"IHDR", struct.pack(">II", side, side) + content[24:29])
    error = refusal(path, content[:8] + header + content[33:])
    assert f"{side}x{side} (height x width), more than 537 megapixels" in error.message


def test_the_largest_frames_in_use_are_not_refused(path: Path) -> None:
    content = FILES["PNG"]
    path.write_bytes(content[:8] + chunk(b"IHDR", struct.pack(">II", 20000, 20000) + content[24:29]) + content[33:])
    assert opened(path).facts.height == 20000


def test_every_chunk_of_a_png_file_matches_its_checksum(path: Path) -> None:
    content = turned(FILES["PNG"], 1)
    for place in (20, 45, len(content) // 2, len(content) - 6):
        damaged = bytearray(content)
        damaged[place] ^= 1
        refusal(path, bytes(damaged))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello", "is not an image"),
        (boxes(b"heic", b"mif1"), "is a HEIC photo, which is not read here"),
        (b"P5\n4 4\n70000\n" + bytes(32), "largest value"),
        (b"\xff\xd8\xff\xe0\0\x04ab", "has no header"),
        (b"P5\n0 4\n255\n", "without a pixel"),
    ],
)
def test_what_is_no_image_that_is_read(path: Path, content: bytes, said: str) -> None:
    assert said in refusal(path, content).message


def test_a_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="not a file"):
        opened(path)


def animated_png() -> bytes:
    content = FILES["PNG"]
    return content[:33] + chunk(b"acTL", struct.pack(">II", 3, 0)) + content[33:]


@pytest.mark.parametrize(
    ("content", "pictures"),
    [
        (FILES["JPEG"], 1),
        (noisy_jpeg() * 2, 2),
        (noisy_jpeg() + b"\0\0\0\x18ftypmp42", 1),
        (animated_png(), 2),
        (gif(1), 1),
        (gif(2), 2),
        (FILES["PGM"] * 2, 2),
    ],
    ids=["JPEG", "Motion JPEG", "JPEG and film", "APNG", "GIF", "animated GIF", "PGM stream"],
)
def test_several_pictures_in_a_file(path: Path, content: bytes, pictures: int) -> None:
    path.write_bytes(content)
    kind = kind_of(content[:1024])
    assert kind is not None
    assert pictures_in(path, kind) == pictures


def test_pages_of_one_size_are_several_pictures(path: Path, tmp_path: Path) -> None:
    pages = tmp_path / "pages.tiff"
    cv2.imwritemulti(str(pages), [picture(), picture()])
    assert opened(pages).facts.pictures == 2


def test_only_the_first_exif_block_of_a_jpeg_counts(path: Path) -> None:
    upright_then_turned = turned(turned(encoded(".jpg", picture()), 6), 1)
    path.write_bytes(upright_then_turned)
    assert opened(path).facts.orientation == 1
    image = cv2.imdecode(np.frombuffer(upright_then_turned, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[:2] == (40, 60)


def test_entries_that_all_claim_the_whole_file_are_not_unpacked(path: Path) -> None:
    begin, size = struct.pack("<2sHIH", b"II", 42, 8, 1000), 1 << 18
    claims = [struct.pack("<HHII", tag, 1, size, 8) for tag in range(1000, 1990)]
    sides = [
        struct.pack("<HHII", tag, 3, 1, side) for tag, side in ((256, 60), (257, 40), (256, 61), *([(257, 1)] * 7))
    ]
    path.write_bytes((begin + b"".join([*sides, *claims])).ljust(size + 8, b"\0"))
    facts, peak = opened_with_peak(path)
    assert (facts.height, facts.width) == (40, 60)
    assert peak < 4 * size


def test_an_image_takes_the_memory_of_its_file(path: Path) -> None:
    path.write_bytes(FILES["JPEG"])
    assert opened_with_peak(path)[1] < 1 << 20


def test_a_jpeg_of_too_many_scans_is_refused(path: Path) -> None:
    whole = encoded(".jpg", picture(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    empty = b"\xff\xda\0\x08\x01\x01\0\x01\x3f\0"
    assert "more than 500 scans" in refusal(path, whole[:-2] + empty * 500 + whole[-2:]).message


@pytest.mark.parametrize("place", [1 << 20, (1 << 64) - 1])
def test_places_beyond_the_file(path: Path, place: int) -> None:
    begin = struct.pack("<2sHHHQ", b"II", 43, 8, 0, place)
    assert "cut off" in refusal(path, begin).message
    strips = struct.pack("<QHHQQQ", 1, 258, 3, 8, place, 0)
    assert "cut off" in refusal(path, struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + strips).message
