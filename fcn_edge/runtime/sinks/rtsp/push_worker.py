"""Pushes one stream to an RTSP server: what runs in a child process of this Python.

    python push_worker.py FD

FFmpeg's muxer waits for the far server without an end, and PyAV keeps Python's lock meanwhile: in the process of the
run, all its cameras would wait too. The first record on standard input is a message with the address, whose password
stands in no argument; then come access units, the first a keyframe. Lines of JSON go to the descriptor: one for each
unit that was sent, and why it ended. Nothing is imported but PyAV, the standard library and the file beside it.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

# behind all others, where it hides nothing
sys.path.append(str(Path(__file__).resolve().parent))
from unit_records import UNIT, read_record

__all__ = ["main"]

NS_PER_S = 1_000_000_000
BASE = Fraction(1, 90_000)


class Push:
    """The stream at the far server.

    Args:
        url: Its address.
        first: The first access unit.
    """

    def __init__(self, url: str, first: bytes) -> None:
        import av

        self._new_packet = av.Packet
        self._container = av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"})
        with av.open(io.BytesIO(first), format="h264") as raw:
            self._stream = self._container.add_stream_from_template(raw.streams.video[0], opaque=True)
        self._stream.time_base = BASE
        self._first_ns: int | None = None
        self._last = -1

    def send(self, data: bytes, time_ns: int, keyframe: bool) -> None:
        """Send one access unit."""
        if self._first_ns is None:
            self._first_ns = time_ns
        self._last = max((time_ns - self._first_ns) * BASE.denominator // NS_PER_S, self._last + 1)
        packet = self._new_packet(data)
        packet.stream = self._stream
        packet.pts = packet.dts = self._last
        packet.time_base = BASE
        packet.is_keyframe = keyframe
        self._container.mux(packet)

    def close(self) -> None:
        """Say that it is over."""
        self._container.close()


def main(fd: int) -> None:
    """Push what standard input gives."""
    os.set_inheritable(fd, False)

    def tell(**message: Any) -> None:
        os.write(fd, json.dumps(message).encode() + b"\n")

    url = json.loads(read_record(0)[-1])["url"]
    push: Push | None = None
    try:
        while (record := read_record(0)) is not None:
            kind, _, time_ns, keyframe, data = record
            if kind == UNIT and (keyframe or push is not None):
                if push is None:
                    push = Push(url, data)
                push.send(data, time_ns, keyframe)
                tell(kind="sent")
        if push is not None:
            push.close()
    except Exception as error:  # of FFmpeg, for the most part; its words may hold the password
        tell(kind="failed", code=type(error).__name__)


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody reads any more
        main(int(sys.argv[1]))
    os._exit(0)
