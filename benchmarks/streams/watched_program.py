"""The run that soak.py and outages.py watch: what ``fcn-edge run`` does, with a sink that notes each frame.

    python -m benchmarks.streams.watched_program ENGINE SOURCE NOTES [SINK ...]

It runs until it is interrupted. Each line of NOTES is a JSON object with one key:

    frame    a ``NotedFrame``
    change   a ``NotedChange``
    report   the report at the end, with ``error``
"""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from benchmarks.streams.notes import NotedChange, NotedFrame
from fcn_edge.backends.base import Job, Session
from fcn_edge.backends.frame_buffer import FrameBuffer, host_frame
from fcn_edge.runtime import runner
from fcn_edge.runtime.events import Event, GradeChanged, Listener, SinkFailed, SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import load
from fcn_edge.runtime.sinks.base import Sink
from fcn_edge.runtime.webhook import Webhook
from fcn_edge.system.allocator import keep_freed_memory
from fcn_edge.system.thread_pools import owned_thread_pools
from tests.servers.frame_numbers import number_of


class Notes(Sink):
    """Notes of each frame when it came."""

    name = "notes"

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @override
    def write(self, result: Result) -> None:
        now = time.time_ns()
        frame, timing = result.frame, result.timing
        noted = NotedFrame(
            number=number_of(host_frame(frame.image)),
            sink_ns=now,
            captured_ns=frame.captured_unix_ns,
            camera_ns=frame.camera_time_ns,
            network_ns=timing.preprocess + timing.infer + timing.decode,
            position=frame.index,
            seconds=frame.time,
            dropped=result.statistics.dropped,
        )
        note(self._file, "frame", noted)

    def listen(self, event: Event) -> None:
        """Note a change of the source, and a sink that failed."""
        if isinstance(event, SourceChanged | GradeChanged):
            kind = "state" if isinstance(event, SourceChanged) else "grade"
            change = NotedChange(kind, event.state, event.grade, event.message, event.unix_ns)
            note(self._file, "change", change)
        elif isinstance(event, SinkFailed):
            note(self._file, "change", NotedChange("sink", "", None, event.error.message, time.time_ns()))


class Slowed(Session):
    """A session whose network can be made to take some time at least.

    Args:
        inner: The session; it is closed with this one.

    Attributes:
        least: Seconds that ``infer`` takes at least.
    """

    def __init__(self, inner: Session) -> None:
        self.spec, self.size, self.depth, self.batch = inner.spec, inner.size, inner.depth, inner.batch
        self.least = 0.0
        self._inner = inner

    @override
    def preprocess(self, frame: NDArray[np.uint8] | FrameBuffer) -> Job:
        return self._inner.preprocess(frame)

    @override
    def infer(self, job: Job) -> Job:
        until = time.monotonic() + self.least
        job = self._inner.infer(job)
        time.sleep(max(until - time.monotonic(), 0))
        return job

    @override
    def wait(self, job: Job) -> None:
        self._inner.wait(job)

    @override
    def postprocess(self, job: Job) -> NDArray[np.uint8]:
        return self._inner.postprocess(job)

    @override
    def postprocess_with_confidence(
        self, job: Job, unknown_below: float | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        return self._inner.postprocess_with_confidence(job, unknown_below)

    @override
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._inner.scores(image)

    @override
    def close(self) -> None:
        self.closed = True
        self._inner.close()


def note(file: TextIO, key: str, value: Any) -> None:
    """Write one line, whole and at once."""
    file.write(json.dumps({key: value}, separators=(",", ":")) + "\n")
    file.flush()


@click.command()
@click.argument("engine")
@click.argument("source")
@click.argument("notes", type=click.Path(path_type=Path))
@click.argument("sinks", nargs=-1)
@click.option("--webhook")
@click.option("--threads", type=int)
@click.option("--slow-to", type=float, default=0.0, help="Seconds that the network takes at least after SIGUSR1.")
def main(
    engine: str,
    source: str,
    notes: Path,
    sinks: tuple[str, ...],
    webhook: str | None,
    threads: int | None,
    slow_to: float,
) -> None:
    """Run until interrupted."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    keep_freed_memory()
    with notes.open("w") as file:
        with owned_thread_pools(), load(engine, threads=threads) as segmenter, ExitStack() as stack:
            sink = Notes(file)
            listeners: list[Listener] = [sink.listen]
            if webhook:
                listeners.append(stack.enter_context(Webhook(webhook)))
            session = Slowed(segmenter.session)
            signal.signal(signal.SIGUSR1, lambda *_: setattr(session, "least", slow_to))
            report = runner.run(source, segmenter, [sink, *sinks], listeners, session=session)
        note(file, "report", report.to_json() | {"error": None if report.error is None else report.error.message})


if __name__ == "__main__":
    main()
