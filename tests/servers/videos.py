"""Numbered videos, made with PyAV: ``number_of`` reads which frame is which."""

from __future__ import annotations

from pathlib import Path

import av

from .frame_numbers import numbered

__all__ = ["jpegs", "write_video"]


def write_video(
    path: Path,
    frames: int = 50,
    form: str | None = None,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    height: int = 96,
) -> Path:
    """A video, 320 pixels wide, at 25 frames a second.

    Args:
        path: Where to write it.
        frames: How many frames.
        form: Container; by the path's suffix when left out.
        codec: Encoder.
        options: Options of the encoder.
        container_options: Options of the container.
        height: Its height, 16 or more.
    """
    with av.open(str(path), "w", format=form, options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = numbered(0, height).shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index, height), format="bgr24")))
        container.mux(stream.encode(None))
    return path


def jpegs(frames: int) -> list[bytes]:
    """Numbered pictures as JPEG."""
    import cv2

    return [cv2.imencode(".jpg", numbered(index))[1].tobytes() for index in range(frames)]
