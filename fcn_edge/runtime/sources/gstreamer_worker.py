"""Frames of a GStreamer pipeline, written to a pipe: what runs in the child process, in the system's own Python.

    /usr/bin/python3 -I gstreamer_worker.py FD     the pipeline as one line of JSON on standard input (``Pipeline``)

GStreamer's Python binding, ``gi``, comes with the system and is for the system's Python only, which may be older than
the one that fcn_edge needs: nothing is imported but ``gi``, the standard library of Python 3.8 and the files of ours
that are made for it. It ends when its standard input does, and so with its parent. What it writes are records
(``gstreamer_records``).
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

# behind the standard library's folders, whose ``http`` would be hidden by ours
sys.path.extend(str(Path(__file__).resolve().parents[up]) for up in (0, 1))
from gstreamer_in_child import Answers, UnbuiltError, chained, error_of, factory_of, loaded_gst
from gstreamer_reception import Keyframes, Reception
from gstreamer_records import FRAME, HEADER, MAGIC, MESSAGE, NO_TIME, UNTOLD

__all__ = ["main"]

SLICE = 0.05
GRACE = 2.0
NO_SUCH_ELEMENT = 1
NTP_TO_UNIX_NS = 2208988800 * 10**9
"""From 1900, where NTP begins, to 1970."""
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl has a name for it since Python 3.10


class Writer:
    """Records into the pipe."""

    def __init__(self, fd: int) -> None:
        self.answers = Answers(fd)
        with suppress(OSError):  # a smaller one is slower, no more
            fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)

    def message(self, **content: Any) -> None:
        """Tell something.

        Args:
            content: ``kind`` and what belongs to it.
        """
        data = json.dumps(content).encode()
        times = NO_TIME, NO_TIME, NO_TIME, NO_TIME
        self.answers.write(HEADER.pack(MAGIC, MESSAGE, 0, 0, 0, len(data), 0, UNTOLD, *times) + data)

    def frame(self, data: Any, shape: Any, index: int, keyframes: int, times: Any) -> None:
        """Give a frame.

        Args:
            data: Its rows, BGR.
            shape: Width, height and stride.
            index: Its number.
            keyframes: How many there are up to it, or ``UNTOLD``.
            times: The four times of ``HEADER``.
        """
        self.answers.write(HEADER.pack(MAGIC, FRAME, *shape, len(data), index, keyframes, *times), data)


class Mailbox:
    """The frame that is to be written next: the newest of a live pipeline; any other waits until it is taken."""

    def __init__(self, live: bool) -> None:
        self.changed = threading.Condition()
        self.live = live
        self.stopped = False
        self.count = 0
        self.content: tuple[Any, int, int, tuple[int, int]] | None = None
        self.problem: dict[str, Any] | None = None
        self.waits = False

    def put(self, sample: Any, keyframes: int) -> None:
        """Leave a frame that has just arrived, with the keyframes up to it; called in a thread of GStreamer."""
        arrived = time.monotonic_ns(), time.time_ns()
        with self.changed:
            while self.content is not None and not self.live and not self.stopped:
                self.changed.wait()
            self.content = (sample, self.count, keyframes, arrived)
            self.count += 1
            self.changed.notify_all()

    def take(self, timeout: float) -> tuple[Any, int, int, tuple[int, int]] | None:
        """The next frame with its index, its keyframes and times; None when none comes in time."""
        with self.changed:
            if self.content is None and self.problem is None and not self.stopped:
                self.changed.wait(timeout)
            content, self.content = self.content, None
            self.changed.notify_all()
            return content

    def fail(self, problem: dict[str, Any]) -> None:
        with self.changed:
            self.problem = self.problem or problem
            self.changed.notify_all()

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()


class Pipeline:
    """A pipeline of ``gi`` made of a description, and its way to its end.

    Args:
        gst: The module ``gi.repository.Gst``.
        description: ``text`` in GStreamer's own language, with ``tail`` to be added where it has no appsink. Or
            ``steps``, each a list of alternatives, each a list of elements, of which the first whose elements are all
            here is taken; an element has ``factory`` and ``properties``. With ``rtsp``, an element, ``encodings`` holds
            the steps before them, by the stream's encoding. ``live`` where that is known.
    """

    def __init__(self, gst: Any, description: dict[str, Any]) -> None:
        self.gst = gst
        self.mailbox = Mailbox(bool(description.get("live")))
        self.started = False
        self.keyframes = Keyframes(gst.CLOCK_TIME_NONE)
        if "text" in description:
            self.pipeline = self.parsed(description["text"], description["tail"])
            self.sink = self.appsink_of(self.pipeline)
        else:
            self.pipeline = gst.Pipeline.new(None)
            chain = self.chain(description["steps"])
            self.sink = chain[-1]
            if "rtsp" in description:
                self.add_rtsp(description["rtsp"], description["encodings"], chain[0])
        self.reception = Reception(gst, self.pipeline)
        self.sink.set_property("emit-signals", True)
        self.sink.connect("new-sample", self.arrived)

    def parsed(self, text: str, tail: str) -> Any:
        # caps at the end make no pipeline before something follows them
        pipeline = self.parse(text) if "appsink" in text else None
        if pipeline is None or self.appsink_of(pipeline) is None:
            pipeline = self.parse(text + tail) if text else self.parse("")
        if isinstance(pipeline, self.gst.Pipeline):
            return pipeline
        whole = self.gst.Pipeline.new(None)
        whole.add(pipeline)
        return whole

    def parse(self, text: str) -> Any:
        context = self.gst.ParseContext.new()
        try:
            return self.gst.parse_launch_full(text, context, self.gst.ParseFlags.FATAL_ERRORS)
        except Exception as error:
            names = context.get_missing_elements() or [""]
            if getattr(error, "code", 0) == NO_SUCH_ELEMENT:
                raise UnbuiltError(kind="missing", elements=names[:1]) from None
            raise UnbuiltError(kind="parse", code=getattr(error, "code", 0), element=names[0]) from None

    def appsink_of(self, element: Any) -> Any:
        if not isinstance(element, self.gst.Bin):
            return element if factory_of(element) == "appsink" else None
        return element.iterate_all_by_element_factory_name("appsink").next()[1]

    def chain(self, steps: list[Any]) -> Any:
        """Elements of the steps, made, added and linked."""
        taken: list[Any] = []
        for alternatives in steps:
            here = [chosen for chosen in alternatives if all(self.knows(one["factory"]) for one in chosen)]
            if not here:
                first = [
                    next(one["factory"] for one in each if not self.knows(one["factory"])) for each in alternatives
                ]
                raise UnbuiltError(kind="missing", elements=first)
            taken += here[0]
        return chained(self.gst, self.pipeline, taken)

    def knows(self, factory: str) -> bool:
        return self.gst.ElementFactory.find(factory) is not None

    def add_rtsp(self, description: dict[str, Any], encodings: dict[str, Any], after: Any) -> None:
        source = self.chain([[[description]]])[0]
        taken = threading.Lock()

        def is_video(_source: Any, _number: int, caps: Any) -> bool:
            return bool(caps.get_structure(0).get_string("media") == "video")

        def added(_source: Any, pad: Any) -> None:
            caps = pad.get_current_caps() or pad.query_caps(None)
            encoding = caps.get_structure(0).get_string("encoding-name")
            if not taken.acquire(blocking=False):
                return  # a second picture of the camera's
            try:
                if encoding not in encodings:
                    raise UnbuiltError(kind="encoding", encoding=str(encoding)[:32])
                elements = self.chain(encodings[encoding])
                probe = self.gst.PadProbeType.BUFFER
                elements[-1].get_static_pad("sink").add_probe(probe, self.from_keyframe_on)
                linked = elements[-1].link(after)
                for element in reversed(elements):
                    element.sync_state_with_parent()
                if not linked or pad.link(elements[0].get_static_pad("sink")) != self.gst.PadLinkReturn.OK:
                    raise UnbuiltError(kind="link")
            except UnbuiltError as error:
                self.mailbox.fail(error.message)

        source.connect("select-stream", is_video)
        source.connect("pad-added", added)

    def from_keyframe_on(self, _pad: Any, info: Any) -> Any:
        """Keep from the decoder what it could only guess at: it would show gray. And note its keyframes."""
        buffer = info.get_buffer()
        if not buffer.has_flags(self.gst.BufferFlags.DELTA_UNIT):
            self.keyframes.encoded(buffer.pts)
        elif not self.keyframes.any:
            self.mailbox.waits = True
            return self.gst.PadProbeReturn.DROP
        return self.gst.PadProbeReturn.OK

    def arrived(self, sink: Any) -> Any:
        sample = sink.emit("pull-sample")
        if sample is not None:
            self.mailbox.put(sample, self.keyframes.decoded(sample.get_buffer().pts))
        return self.gst.FlowReturn.OK

    def run(self, writer: Writer) -> None:
        """Play to the end of the pipeline or of standard input."""
        bus, told = self.pipeline.get_bus(), False
        try:
            if self.pipeline.set_state(self.gst.State.PLAYING) == self.gst.StateChangeReturn.FAILURE:
                self.listen(bus)  # most say why
                self.mailbox.fail({"kind": "error", "domain": "", "code": 0, "factory": ""})
            while not self.mailbox.stopped:
                self.listen(bus)
                news = self.reception.news()
                if news:
                    writer.message(kind="reception", **news)
                content = self.mailbox.take(SLICE)
                if content is not None:  # the end comes after the last frame
                    self.write(writer, *content)
                elif self.mailbox.waits and not told:
                    told = True
                    writer.message(kind="waiting")
                elif self.mailbox.problem is not None:
                    writer.message(**self.mailbox.problem)
                    return
        finally:
            self.mailbox.stop()
            self.pipeline.set_state(self.gst.State.NULL)

    def listen(self, bus: Any) -> None:
        """Take in what the bus tells."""
        kinds = self.gst.MessageType
        while True:
            message = bus.pop_filtered(kinds.ERROR | kinds.EOS | kinds.LATENCY)
            if message is None:
                return
            if message.type == kinds.EOS:
                self.mailbox.fail({"kind": "end"})
            elif message.type == kinds.LATENCY:
                self.pipeline.recalculate_latency()
            else:
                self.mailbox.fail(error_of(message))

    def write(self, writer: Writer, sample: Any, index: int, keyframes: int, arrived: Any) -> None:
        gst = self.gst
        structure, buffer = sample.get_caps().get_structure(0), sample.get_buffer()
        if structure.get_name() != "video/x-raw" or structure.get_string("format") != "BGR":
            form = structure.get_string("format") or structure.get_name()
            self.mailbox.fail({"kind": "format", "format": form[:32]})
            return
        width, height = structure.get_int("width")[1], structure.get_int("height")[1]
        stride = (3 * width + 3) // 4 * 4
        if buffer.get_size() < stride * (height - 1) + 3 * width:
            self.mailbox.fail({"kind": "format", "format": "BGR of an unusual layout"})
            return
        if not self.started:
            self.started = True
            there, over, under = structure.get_fraction("framerate")
            self.mailbox.live = self.mailbox.live or self.is_live()
            fps = over / under if there and under else 0.0
            writer.message(kind="started", live=self.mailbox.live, fps=fps, version=list(gst.version()[:3]))
        running = NO_TIME
        if buffer.pts != gst.CLOCK_TIME_NONE:
            running = sample.get_segment().to_running_time(gst.Format.TIME, buffer.pts)
            running = NO_TIME if running == gst.CLOCK_TIME_NONE else running
        mapped, view = buffer.map(gst.MapFlags.READ)
        if not mapped:
            self.mailbox.fail({"kind": "format", "format": "memory that cannot be read"})
            return
        try:
            times = (running, arrived[0], arrived[1], self.camera_time(buffer))
            writer.frame(view.data, (width, height, stride), index, keyframes, times)
        finally:
            buffer.unmap(view)

    def is_live(self) -> bool:
        query = self.gst.Query.new_latency()
        # not of the sink, which denies it where it keeps no pace
        return bool(self.sink.get_static_pad("sink").peer_query(query)) and bool(query.parse_latency()[0])

    def camera_time(self, buffer: Any) -> int:
        """Nanoseconds of Unix time that the sender's clock gave the frame."""
        meta = buffer.get_reference_timestamp_meta(None)
        name = meta.reference.get_structure(0).get_name() if meta is not None else ""
        if name == "timestamp/x-ntp":
            return int(meta.timestamp) - NTP_TO_UNIX_NS
        return int(meta.timestamp) if name == "timestamp/x-unix" else NO_TIME


def end_with_input(stop: Any) -> None:
    """Wait for the end of standard input, then stop; where stopping hangs, be gone all the same."""
    while os.read(0, 1 << 12):
        pass
    stop()
    time.sleep(GRACE)
    os._exit(0)


def main(fd: int) -> None:
    """Run the pipeline that standard input describes, and write its frames to a file descriptor."""
    writer = Writer(fd)
    description = json.loads(FileIO(0, closefd=False).readline())
    try:
        pipeline = Pipeline(loaded_gst(), description)
    except UnbuiltError as error:
        writer.message(**error.message)
        return
    threading.Thread(target=end_with_input, args=(pipeline.mailbox.stop,), daemon=True).start()
    pipeline.run(writer)


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody reads any more
        main(int(sys.argv[1]))
    os._exit(0)  # threads of GStreamer's plugins must not hold it up
