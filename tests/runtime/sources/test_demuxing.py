"""Streams that appear midway."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from benchmarks.streams.damages import picture  # noqa: E402 (needs PyAV)
from fcn_edge.runtime.sources.demuxing import packets_of  # noqa: E402
from fcn_edge.runtime.sources.pyav import PyAvReader  # noqa: E402

FRAMES = 400
"""Sixteen seconds: FFmpeg looks at the first few to find the streams."""
MORE = 5
SOUNDS = 28
"""PyAV reads beyond its list of streams; from the 25th on that surely ends in its IndexError."""


class OneWay:
    """Bytes that can be read and not sought."""

    name = "pipe"

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError

    def close(self) -> None:
        self._stream.close()


def program_stream(path: Path, frames: int, sounds: int) -> bytes:
    """An MPEG program stream with so many pictures and sound tracks."""
    with av.open(str(path), "w", format="mpeg") as container:
        video = container.add_stream("mpeg1video", rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        tracks = [container.add_stream("mp2", rate=44100, layout="mono") for _ in range(sounds)]
        for index in range(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index, 48, 64), format="bgr24")))
            for track in tracks:
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1764), np.int16), format="s16", layout="mono")
                sound.sample_rate, sound.pts = 44100, 1764 * index
                container.mux(track.encode(sound))
        for stream in (video, *tracks):
            container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video that gets sound after sixteen seconds."""
    folder = tmp_path_factory.mktemp("midway")
    return program_stream(folder / "a.mpg", FRAMES, 0) + program_stream(folder / "b.mpg", MORE, SOUNDS)


def test_gives_every_packet_of_its_stream(content: bytes) -> None:
    with av.open(OneWay(content)) as container:
        assert len(container.streams) == 1
        packets = list(packets_of(container, container.streams.video[0]))
    # the container may split the last picture's packet off
    assert sum(packet.size > 0 for packet in packets) >= FRAMES + MORE
    assert packets[-1].size == 0


def test_every_picture_is_read(content: bytes) -> None:
    reader = PyAvReader(OneWay(content), "The pipe", "", lambda: False)
    count = 0
    while reader.read() is not None:
        count += 1
    reader.close()
    assert count == FRAMES + MORE
