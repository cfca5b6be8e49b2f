"""Small videos, damaged in ways that do not change from run to run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "DamagedVideo", "damaged_videos", "write_sizes", "write_whole"]

FRAMES = 40
SIZE = (96, 128)
CONTAINERS = {
    "h264.mp4": ("libx264", {"bf": "2", "g": "12"}),
    "mpeg4.mp4": ("mpeg4", {"g": "12"}),
    "h264.mkv": ("libx264", {"g": "12"}),
    "h264.ts": ("libx264", {"g": "12"}),
    "mpeg4.avi": ("mpeg4", {"g": "12"}),
    "vp8.webm": ("libvpx", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
}
"""Names of the whole videos, their codecs and options."""

Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class DamagedVideo:
    """A damaged file.

    Attributes:
        path: The file.
        kind: A key of ``KINDS``.
        whole: Name of the video that it was made of.
    """

    path: Path
    kind: str
    whole: str


def picture(index: int, height: int = SIZE[0], width: int = SIZE[1]) -> NDArray[np.uint8]:
    """A ``(height, width, 3)`` uint8 BGR picture that moves with ``index``."""
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin((columns * (1 + color) + rows * 2 + 9 * index) / 17.0) for color in range(3)]
    return np.stack(waves, axis=2).astype(np.uint8)


def write_whole(folder: Path) -> list[Path]:
    """A video in each container, undamaged."""
    paths = []
    for name, (codec, options) in CONTAINERS.items():
        path = folder / f"whole-{name}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.height, stream.width, stream.pix_fmt = SIZE[0], SIZE[1], "yuv420p"
            for index in range(FRAMES):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="bgr24")))
            container.mux(stream.encode(None))
        paths.append(path)
    return paths


def write_sizes(path: Path, sizes: Sequence[tuple[int, int]], frames: int = 8) -> Path:
    """A Motion JPEG stream whose pictures change their size midway: ``frames`` of each."""
    pictures = [picture(index, *size) for size in sizes for index in range(frames)]
    path.write_bytes(b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in pictures))
    return path


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 10, 100, len(content) // 50))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _hole(content: bytes, rng: random.Random) -> bytes:
    length = rng.randrange(1, max(2, len(content) // 3))
    start = rng.randrange(len(content) - length)
    return content[:start] + bytes(length) + content[start + length :]


def _missing(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randrange(1, max(2, len(content) // 3)) :]


def _noise(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(64)] + rng.randbytes(rng.randrange(1, 20_000))


KINDS: dict[str, Damage | None] = {
    "cut": _cut,
    "flipped": _flipped,
    "hole": _hole,
    "missing": _missing,
    "noise": _noise,
    "empty": lambda _content, _rng: b"",
    "suffix": None,
    "sizes": None,
    "sizes flipped": _flipped,
    "cut and flipped": lambda content, rng: _flipped(_cut(content, rng), rng),
}
"""What is done to the files; they take turns."""


def damaged_videos(folder: Path, count: int, seed: int = 8) -> Iterator[DamagedVideo]:
    """Damaged files, always the same for the same seed and libraries on one machine; encoders differ between machines.

    Args:
        folder: Where they are written.
        count: How many.
        seed: What the damage is drawn from.
    """
    rng = random.Random(seed)
    wholes = write_whole(folder)
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        damage = KINDS[kind]
        whole = rng.choice(wholes)
        suffix = whole.suffix
        content = whole.read_bytes()
        if kind.startswith("sizes"):
            sizes = [(2 * rng.randrange(8, 90), 2 * rng.randrange(8, 90)) for _ in range(4)]
            whole, suffix = write_sizes(folder / "whole-sizes.mjpeg", sizes), ".mjpeg"
            content = whole.read_bytes()
        if kind == "suffix":
            suffix = rng.choice([other for other in (".mp4", ".mkv", ".avi", ".ts", ".webm") if other != suffix])
        if damage is not None:
            content = damage(content, rng)
        path = folder / f"{number:03d}{suffix}"
        path.write_bytes(content)
        yield DamagedVideo(path, kind, whole.name)
