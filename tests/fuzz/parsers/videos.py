"""Videos in the usual containers, by both readers, and playlists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ..damages import BYTES, TEXT
from ..parser import Parser

__all__ = ["PARSERS"]

MOST_FRAMES = 60
FRAMES, SIZE = 8, (64, 96)
PLAYLISTS = (
    b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n/elsewhere/clip.mp4\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile 'clip.mp4'\nduration 2\n",
    b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=video 5000 RTP/AVP 96\r\n",
    b"[playlist]\nFile1=clip.mp4\nNumberOfEntries=1\n",
)


def encoded(suffix: str, *codecs: str, form: str | None = None) -> Callable[[Path], list[bytes]]:
    """A short video in a container, once for each codec."""

    def made(folder: Path) -> list[bytes]:
        import av

        for codec in codecs:
            with av.open(str(folder / f"{codec}{suffix}"), "w", format=form) as container:
                stream = container.add_stream(codec, rate=25)
                stream.height, stream.width = SIZE
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                for number in range(FRAMES):
                    frame = np.full((*SIZE, 3), 20 * number, np.uint8)
                    frame[:, 4 * number :] = 90
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
                container.mux(stream.encode(None))
        return [(folder / f"{codec}{suffix}").read_bytes() for codec in codecs]

    return made


def playlists(_: Path) -> Sequence[bytes]:
    return PLAYLISTS


def frames_by(reader: str) -> Callable[[Path, Path], object]:
    def read(path: Path, _: Path) -> object:
        from fcn_edge.runtime.sources import open_source

        with (
            patch("fcn_edge.runtime.sources.video.has_pyav", lambda: reader == "pyav"),
            open_source(path) as source,
        ):
            count = 0
            for frame in islice(source, MOST_FRAMES):
                assert frame.image.ndim == 3
                count += 1
        return count

    return read


CONTAINERS = (
    ("mp4", encoded(".mp4", "libx264", "mpeg4")),
    ("avi", encoded(".avi", "mpeg4")),
    ("mkv", encoded(".mkv", "libx264")),
    ("mjpeg", encoded(".mjpeg", "mjpeg", form="mjpeg")),
)
READERS = {"pyav": "av", "opencv": "cv2"}
PARSERS = (
    *(
        Parser(f"video.{name}.{reader}", f"clip.{name}", made, frames_by(reader), BYTES, 1, ("av", module))
        for name, made in CONTAINERS
        for reader, module in READERS.items()
    ),
    *(
        Parser(f"video.playlist.{reader}", "clip.mp4", playlists, frames_by(reader), TEXT, 0.5, (module,), True)
        for reader, module in READERS.items()
    ),
)
