from __future__ import annotations

import platform
import re
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.io.images import doubted_image, orientation_of, read_ids, read_image, read_labels, write_png
from tests.image_files import chunk, encoded, noisy_jpeg, picture, turned

GRAY, PALETTE = 0, 3


def png(pixels: NDArray[np.uint8], depth: int = 8, color_type: int = GRAY, palette: bytes = b"") -> bytes:
    """A PNG file of ``(H, W)`` numbers, ``depth`` bits each, written without any library."""
    height, width = pixels.shape
    bits = np.unpackbits(pixels[:, :, None], axis=2)[:, :, 8 - depth :].reshape(height, width * depth)
    rows = b"".join(b"\0" + row.tobytes() for row in np.packbits(bits, axis=1))

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
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
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


@pytest.mark.parametrize("name", ["photo", "photo.png", "photo.heic"])
def test_a_file_is_what_its_bytes_say(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(".jpg", picture()))
    assert read_image(tmp_path / name).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".jpg", ()), (".png", ()), (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101))],
    ids=["JPEG", "PNG", "WebP"],
)
def test_a_jpeg_photo_comes_upright(tmp_path: Path, suffix: str, options: tuple[int, ...]) -> None:
    path = tmp_path / "photo"
    path.write_bytes(turned(encoded(suffix, picture(), *options), 6))
    assert orientation_of(path) == 6
    if suffix == ".jpg":  # which of the others it turns depends on OpenCV's version
        assert read_image(path).shape == (60, 40, 3)


def jpeg_of(damage: bytes) -> bytes:
    whole = noisy_jpeg()
    middle = len(whole) * 6 // 10
    return whole[:middle] + damage + whole[middle + 200 :]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize(
    "damage",
    [bytes(200), b"", b"\xff\x00" * 100, bytes(200) + noisy_jpeg()[:900]],
    ids=["zeros", "missing", "ones", "inserted"],
)
def test_a_jpeg_with_a_damaged_middle(tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg_of(damage))
    with pytest.raises(DatasetError, match=r"photo\.jpg is damaged: parts of the image are lost") as caught:
        read_image(path)
    assert caught.value.exit_code == 3
    image, (doubt,) = doubted_image(path)
    assert (image.shape, doubt.spoils, doubt.message) == ((64, 96, 3), True, caught.value.message)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_jpeg_that_ends_in_zeros(tmp_path: Path, kept: float, progressive: int) -> None:
    whole = noisy_jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    begin = int(len(whole) * kept)
    (tmp_path / "a.jpg").write_bytes(whole[:begin] + bytes(len(whole) - begin - 2) + whole[-2:])
    with pytest.raises(DatasetError, match="damaged"):
        read_image(tmp_path / "a.jpg")


def test_a_progressive_jpeg_without_its_last_scan_is_damaged(tmp_path: Path) -> None:
    whole = noisy_jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    path = tmp_path / "a.jpg"
    path.write_bytes(whole)
    assert doubted_image(path)[1] == ()
    path.write_bytes(whole[: whole.rindex(b"\xff\xda")] + whole[-2:])
    with pytest.raises(DatasetError, match="damaged"):
        read_image(path)


def test_a_whole_jpeg_is_not_doubted_after_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_of(bytes(200)))
    (tmp_path / "b.jpg").write_bytes(noisy_jpeg())
    doubted_image(tmp_path / "a.jpg")
    assert doubted_image(tmp_path / "b.jpg")[1] == ()


def test_a_camera_that_fills_up_its_files_is_not_doubted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = noisy_jpeg()
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + bytes(37) + whole[-2:])
    assert doubted_image(tmp_path / "a.jpg")[1] == ()
    assert capfd.readouterr().err == ""


def test_a_camera_that_leaves_a_few_bytes_before_markers_is_not_doubted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jpg"
    whole = noisy_jpeg(cv2.IMWRITE_JPEG_RST_INTERVAL, 5)
    path.write_bytes(whole)
    pixels = read_image(path)
    left = re.sub(rb"(?=\xff[\xd0-\xd7\xd9\xdb])", b"\x12\x34\x56", whole)
    assert len(left) == len(whole) + 3 * 7  # two tables, four restarts and the end
    path.write_bytes(left)
    assert (read_image(path) == pixels).all()
    path.write_bytes(whole[:-2] + b"\x12\x34\x56\x78\x9a" * 5 + whole[-2:])
    with pytest.raises(DatasetError, match="damaged"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_a_png_of_which_too_little_is_packed_is_refused_without_another_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    header = struct.pack(">IIBBBBB", 8, 8, 8, GRAY, 0, 0, 0)
    rows = zlib.compress(bytes(9 * 3))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    for read in (read_image, read_labels, read_ids):
        with pytest.raises(DatasetError, match=r"a\.png is a PNG image that OpenCV cannot read"):
            read(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("depth", [1, 8])
def test_a_flipped_bit_of_palette_labels_is_damage(tmp_path: Path, ids: NDArray[np.uint8], depth: int) -> None:
    whole = png(ids, depth, PALETTE, bytes(range(3)) * 2**depth)
    path = tmp_path / "labels.png"
    for place in range(8, len(whole), 1 if depth == 1 else 19):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(bytes(damaged))
        for read in (read_labels, read_ids):
            with pytest.raises(DatasetError):
                read(path)


def test_transparency_does_not_change_ids(tmp_path: Path, ids: NDArray[np.uint8]) -> None:
    for color_type, palette, transparent in ((PALETTE, bytes(768), bytes([0, 9])), (GRAY, b"", b"\0\1")):
        whole = png(ids, 8, color_type, palette)
        place = whole.index(b"IDAT") - 4
        path = tmp_path / "labels.png"
        path.write_bytes(whole[:place] + chunk(b"tRNS", transparent) + whole[place:])
        assert (read_labels(path) == ids).all()


LOSSY = {
    "JPEG": (".jpg", ()),
    "lossy WebP": (".webp", (cv2.IMWRITE_WEBP_QUALITY, 90)),
    "JPEG in TIFF": (".tiff", (cv2.IMWRITE_TIFF_COMPRESSION, 7, 278, 16)),
}


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("suffix", ["", ".png"])
def test_lossy_files_are_no_labels_whatever_they_are_called(tmp_path: Path, name: str, suffix: str) -> None:
    written, options = LOSSY[name]
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(encoded(written, np.repeat(np.arange(32, dtype=np.uint8) * 7, 32).reshape(32, 32), *options))
    for read in (read_labels, read_ids):
        with pytest.raises(DatasetError, match="changes class ids") as caught:
            read(path)
        assert "as PNG" in caught.value.fix


@pytest.mark.skipif(not cv2.haveImageWriter(".jp2"), reason="this OpenCV writes no JPEG 2000")
def test_of_jpeg_2000_nothing_tells_whether_ids_were_kept(tmp_path: Path) -> None:
    path = tmp_path / "labels.jp2"
    path.write_bytes(encoded(".jp2", np.zeros((32, 32), np.uint8)))
    with pytest.raises(DatasetError, match="may have changed its class ids") as caught:
        read_ids(path)
    assert "opj_decompress" in caught.value.fix


def test_exact_formats_are_ids(tmp_path: Path) -> None:
    ids = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for suffix, options in ((".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)), (".tiff", ()), (".bmp", ()), (".pgm", ())):
        path = tmp_path / f"ids{suffix}"
        path.write_bytes(encoded(suffix, ids, *options))
        assert read_ids(path).tolist() == ids.tolist()


def test_ids_written_as_text_are_not_scaled(tmp_path: Path) -> None:
    (tmp_path / "ids.pgm").write_bytes(b"P2\n# ids\n4 1\n200\n7 6 8 199\n")
    assert read_ids(tmp_path / "ids.pgm").tolist() == [[7, 6, 8, 199]]


def test_a_lossy_mask_of_two_values_is_pointed_to_a_tolerance(tmp_path: Path) -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 5:30] = 255
    (tmp_path / "mask.jpg").write_bytes(encoded(".jpg", mask))
    with pytest.raises(DatasetError) as caught:
        read_ids(tmp_path / "mask.jpg")
    assert "--tolerance 127" in caught.value.fix


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_than_the_file_has_are_named(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "mono.png"
    scene = picture()[:, :, 2].astype(np.uint16) + 1
    path.write_bytes(encoded(".png", scene * 2 ** (bits - 8) - 1))
    with pytest.raises(DatasetError, match=f"at most {bits} are used") as caught:
        read_image(path)
    assert f"multiply {2 ** (16 - bits)} " in caught.value.fix
    assert doubted_image(path)[1][0].bits == bits
    image, doubts = doubted_image(path, bits=bits)
    assert doubts == ()
    assert (image == picture()[:, :, 2:]).all()


def test_the_upper_bits_of_sixteen_are_taken(tmp_path: Path) -> None:
    deep = picture().astype(np.uint16) * 256 + 255
    for suffix in (".png", ".tiff", ".ppm"):
        path = tmp_path / f"deep{suffix}"
        path.write_bytes(encoded(suffix, deep))
        assert (read_image(path) == picture()).all()


def test_black_frames_of_sixteen_bits_are_not_doubted(tmp_path: Path) -> None:
    (tmp_path / "black.png").write_bytes(encoded(".png", np.zeros((4, 4), np.uint16)))
    assert not read_image(tmp_path / "black.png").any()


@pytest.mark.parametrize(
    ("content", "gray"),
    [
        (b"P5\n4 1\n4095\n" + np.array([0, 16, 2048, 4095], ">u2").tobytes(), [0, 1, 128, 255]),
        (b"P2\n4 1\n1023\n0 4 512 1023\n", [0, 1, 128, 255]),
        (b"P5\n4 1\n15\n\0\5\12\17", [0, 85, 170, 255]),
        (b"P2\n4 1\n15\n0 5 10 15\n", [0, 85, 170, 255]),
        (b"P1\n4 1\n0 1 0 1\n", [255, 0, 255, 0]),
    ],
)
def test_a_range_that_is_declared_is_taken(tmp_path: Path, content: bytes, gray: list[int]) -> None:
    (tmp_path / "a.pgm").write_bytes(content)
    assert read_image(tmp_path / "a.pgm")[0].tolist() == [[level] * 3 for level in gray]


def test_several_pictures_are_told_and_the_first_is_read(tmp_path: Path) -> None:
    cv2.imwritemulti(str(tmp_path / "pages.tiff"), [picture(), 255 - picture()])
    image, (doubt,) = doubted_image(tmp_path / "pages.tiff")
    assert "several pictures" in doubt.message
    assert not doubt.spoils
    assert (image == picture()).all()
    assert (read_image(tmp_path / "pages.tiff") == picture()).all()


@pytest.mark.parametrize("damage", range(6))
def test_damage_anywhere_is_a_sentence_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: int
) -> None:
    random = np.random.default_rng(damage)
    path = tmp_path / "file"
    for suffix in (".jpg", ".png", ".webp", ".tiff", ".bmp", ".ppm"):
        content = bytearray(encoded(suffix, picture()))
        for _ in range(3):
            content[int(random.integers(4, 60))] = int(random.integers(256))
            content[int(random.integers(4, len(content)))] = int(random.integers(256))
        path.write_bytes(bytes(content))
        for read in (doubted_image, read_labels, read_ids, orientation_of):
            with suppress(DatasetError):
                read(path)
    # OpenCV 4.8 prints these itself, where it cannot be caught
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if line and not line.startswith("imdecode_(")] == []
