"""Pictures in, access units of H.264 out: what runs in the child process, in the system's own Python.

    /usr/bin/python3 -I worker.py FD     the pipeline as one line of JSON on standard input, then pictures

GStreamer's Python binding, ``gi``, comes with the system and is for the system's Python only, which may be older than
the one that fcn_edge needs: nothing is imported but ``gi``, the standard library of Python 3.8 and the files of ours
that are made for it. It ends when its standard input does, and so with its parent; what the encoder still holds is
given out first. ``encoder_records`` has the form of what it reads and writes.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

# behind all others, where they hide nothing
sys.path.extend(str(Path(__file__).resolve().parents[up]) for up in (0, 2))
from encoder_records import HEADER, MAGIC, MESSAGE, PICTURE, UNIT
from gstreamer_in_child import Answers, UnbuiltError, chained, error_of, loaded_gst

__all__ = ["main"]

AT_ONCE = (1 << 64) - 1
NVIDIAS_SIGNAL = "force-IDR"
GRACE = 5.0
"""Seconds that the encoder has for what it still holds."""


class Writer:
    """Records into the pipe, from several threads."""

    def __init__(self, fd: int) -> None:
        self.answers = Answers(fd)

    def record(self, kind: int, time_ns: int, keyframe: bool, data: Any) -> None:
        self.answers.write(HEADER.pack(MAGIC, kind, time_ns, keyframe, len(data)), data)

    def message(self, **content: Any) -> None:
        self.record(MESSAGE, 0, False, json.dumps(content).encode())


class Pipeline:
    """The elements of a description, each with ``factory`` and ``properties``, from an appsrc to an appsink.

    Args:
        gst: The module ``gi.repository.Gst``.
        steps: The elements.
        writer: Takes the access units.
    """

    def __init__(self, gst: Any, steps: Any, writer: Writer) -> None:
        from gi.repository import GObject

        self.gst = gst
        self.writer = writer
        self.forced = 0
        self.pipeline = gst.Pipeline.new(None)
        elements = chained(gst, self.pipeline, steps)
        self.source, self.sink = elements[0], elements[-1]
        # NVIDIA's encoder leaves the event unread and has a signal of its own
        lookup = GObject.signal_lookup
        self.deaf = [element for element in elements if lookup(NVIDIAS_SIGNAL, element.__gtype__)]
        self.sink.set_property("emit-signals", True)
        self.sink.connect("new-sample", self.arrived)

    def arrived(self, sink: Any) -> Any:
        """An access unit is ready; called in a thread of GStreamer."""
        sample = sink.emit("pull-sample")
        if sample is None:
            return self.gst.FlowReturn.EOS
        buffer = sample.get_buffer()
        # some encoders move all times, so that none before the first one is negative; the segment knows
        time_ns = sample.get_segment().to_running_time(self.gst.Format.TIME, buffer.pts)
        keyframe = not buffer.has_flags(self.gst.BufferFlags.DELTA_UNIT)
        mapped, view = buffer.map(self.gst.MapFlags.READ)
        if not mapped:
            return self.gst.FlowReturn.ERROR
        try:
            self.writer.record(UNIT, time_ns, keyframe, view.data)
        except OSError:
            os._exit(0)  # nobody reads any more
        finally:
            buffer.unmap(view)
        return self.gst.FlowReturn.OK

    def force_keyframe(self, time_ns: int) -> None:
        """Have the next picture become one, through an event that goes down the pipeline before it."""
        # a time in the place of "at once" is ignored after encoders that move all times, such as x264enc of 1.22
        text = "GstForceKeyUnit, timestamp=(guint64)%d, stream-time=(guint64)%d, running-time=(guint64)%d"
        text += ", all-headers=(boolean)true, count=(uint)%d"
        structure = self.gst.Structure.new_from_string(text % (time_ns, time_ns, AT_ONCE, self.forced))
        self.source.send_event(self.gst.Event.new_custom(self.gst.EventType.CUSTOM_DOWNSTREAM, structure))
        for element in self.deaf:
            element.emit(NVIDIAS_SIGNAL)
        self.forced += 1

    def put(self, data: bytes, time_ns: int, keyframe: bool) -> None:
        if keyframe:
            self.force_keyframe(time_ns)
        buffer = self.gst.Buffer.new_wrapped(data)
        buffer.pts = time_ns
        self.source.emit("push-buffer", buffer)

    def start(self) -> None:
        threading.Thread(target=self.listen, daemon=True).start()
        if self.pipeline.set_state(self.gst.State.PLAYING) == self.gst.StateChangeReturn.FAILURE:
            time.sleep(0.2)  # most say why
            self.finish(kind="error", domain="", code=0, factory="")
        self.writer.message(kind="ready", version=list(self.gst.version()[:3]))

    def listen(self) -> None:
        """The thread that waits for an error or the end."""
        kinds = self.gst.MessageType
        message = self.pipeline.get_bus().timed_pop_filtered(self.gst.CLOCK_TIME_NONE, kinds.ERROR | kinds.EOS)
        if message.type == kinds.EOS:
            self.finish(kind="end")
        self.finish(**error_of(message))

    def finish(self, **message: Any) -> None:
        """Say how it ended, give the device back and be gone."""
        threading.Thread(target=gone_after, args=(GRACE,), daemon=True).start()
        with suppress(OSError):  # nobody reads any more
            self.writer.message(**message)
        self.pipeline.set_state(self.gst.State.NULL)
        os._exit(0)


def gone_after(seconds: float) -> None:
    time.sleep(seconds)
    os._exit(0)


def watch_input() -> None:
    """End the process soon after its standard input, also where the encoder hangs and nobody reads that any more."""
    poll = select.poll()
    poll.register(0, 0)  # no event but that the other end was closed, which comes before everything is read
    poll.poll()
    gone_after(GRACE)


def read(size: int) -> bytes:
    """So many bytes of standard input; fewer at its end."""
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main(fd: int) -> None:
    """Encode what standard input gives, and write it to a file descriptor."""
    writer = Writer(fd)
    steps = json.loads(FileIO(0, closefd=False).readline())["steps"]  # and no byte behind it
    threading.Thread(target=watch_input, daemon=True).start()
    try:
        gst = loaded_gst()
        writer.message(kind="loaded")
        pipeline = Pipeline(gst, steps, writer)
    except UnbuiltError as error:
        writer.message(**error.message)
        return
    pipeline.start()
    while len(header := read(PICTURE.size)) == PICTURE.size:
        _, time_ns, keyframe, size = PICTURE.unpack(header)
        data = read(size)
        if len(data) < size:
            break
        pipeline.put(data, time_ns, bool(keyframe))
    pipeline.source.emit("end-of-stream")
    threading.Event().wait()  # for ``listen`` or ``watch_input``


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody reads any more
        main(int(sys.argv[1]))
    os._exit(0)  # threads of GStreamer's plugins must not hold it up
