from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.io.images import read_ids, read_image, read_labels, write_png

GRAY, PALETTE = 0, 3


def png(pixels: NDArray[np.uint8], depth: int = 8, color_type: int = GRAY, palette: bytes = b"") -> bytes:
    """A PNG file of ``(H, W)`` numbers, ``depth`` bits each, written without any library."""
    height, width = pixels.shape
    bits = np.unpackbits(pixels[:, :, None], axis=2)[:, :, 8 - depth :].reshape(height, width * depth)
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    plte = chunk(b"PLTE", palette) if palette else b""
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + plte + data + chunk(b"IEND", b"")


@pytest.fixture
def ids() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 2, (5, 11)).astype(np.uint8)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("color_type", [GRAY, PALETTE])
def test_labels_are_the_stored_numbers(tmp_path: Path, ids: NDArray[np.uint8], depth: int, color_type: int) -> None:
    ids = ids * np.uint8(2**depth - 1)
    path = tmp_path / "labels.png"
    # two palette entries of one color: only the stored numbers tell them apart
    palette = bytes(range(3)) * 2**depth if color_type == PALETTE else b""
    path.write_bytes(png(ids, depth, color_type, palette))
    assert (read_labels(path) == ids).all()
    assert (read_ids(path) == ids).all()


def test_every_value_of_four_bits(tmp_path: Path) -> None:
    ids = np.arange(16, dtype=np.uint8).reshape(2, 8)
    (tmp_path / "labels.png").write_bytes(png(ids, depth=4))
    assert (read_labels(tmp_path / "labels.png") == ids).all()


def test_written_masks_come_back(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 256, (7, 9), np.uint8)
    write_png(tmp_path / "mask.png", mask)
    assert (read_labels(tmp_path / "mask.png") == mask).all()


def test_an_image_is_bgr(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "image.png"), image)
    assert (read_image(tmp_path / "image.png") == image).all()


def test_a_gray_image_gets_three_channels(tmp_path: Path) -> None:
    write_png(tmp_path / "gray.png", np.full((3, 4), 7, np.uint8))
    assert read_image(tmp_path / "gray.png").tolist() == np.full((3, 4, 3), 7).tolist()


def test_any_file_name_will_do(tmp_path: Path) -> None:
    path = tmp_path / "Straße 街路 %d.png"
    write_png(path, np.full((3, 4), 7, np.uint8))
    assert read_labels(path).shape == (3, 4)


def test_color_masks_are_no_labels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8))
    with pytest.raises(DatasetError, match="3x4x3 uint8") as caught:
        read_labels(tmp_path / "mask.png")
    assert "fcn-edge data import" in caught.value.fix
    with pytest.raises(DatasetError, match="one id a pixel"):
        read_ids(tmp_path / "mask.png")


def test_sixteen_bits_are_ids_and_no_labels(tmp_path: Path) -> None:
    ids = np.array([[0, 300], [65535, 7]], np.uint16)
    cv2.imwrite(str(tmp_path / "ids.png"), ids)
    assert read_ids(tmp_path / "ids.png").tolist() == ids.tolist()
    with pytest.raises(DatasetError, match="uint16"):
        read_labels(tmp_path / "ids.png")


def test_ids_repeated_in_three_channels_are_ids(tmp_path: Path) -> None:
    ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
    cv2.imwrite(str(tmp_path / "ids.png"), np.dstack([ids] * 3))
    assert read_ids(tmp_path / "ids.png").tolist() == ids.tolist()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = cv2.imencode(suffix, image)[1].tobytes()
    path = tmp_path / f"image{suffix}"
    path.write_bytes(whole)
    assert read_image(path).shape == image.shape
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DatasetError, match="cut off"):
        read_image(path)


def test_a_picture_with_a_thumbnail_inside_is_cut_off_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    thumbnail = cv2.imencode(".jpg", noise[:8, :8])[1].tobytes()
    block = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg[:2] + block + jpeg[2:])
    assert read_image(path).shape == noise.shape
    path.write_bytes(jpeg[:2] + block + jpeg[2:-500])
    with pytest.raises(DatasetError, match="cut off"):
        read_image(path)


def test_no_image_at_all(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(DatasetError, match="not an image"):
        read_image(tmp_path / "text.png")
    with pytest.raises(DatasetError, match="not an image"):
        read_labels(tmp_path / "text.png")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.png cannot be read: No such file"):
        read_image(tmp_path / "absent.png")


def test_a_jpeg_with_a_film_behind_it_is_read_and_one_cut_off_is_not(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    content = cv2.imencode(".jpg", image)[1].tobytes()
    path = tmp_path / "motion.jpg"
    # the appended bytes hold markers of their own, as a film's do
    path.write_bytes(content + bytes(range(256)) * 8 + b"\xff\xda" + bytes(64))
    assert read_image(path).shape == image.shape
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="cut off"):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, read_labels, read_ids])
def test_a_pipe_that_nobody_writes_is_not_waited_for(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png"):
        read(tmp_path / "a.png")
