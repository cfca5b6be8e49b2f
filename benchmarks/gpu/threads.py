"""One thread captures graphs while another allocates, copies and waits on the same GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.objects import idle_afterwards
from fcn_edge.errors import FcnEdgeError
from gpu.sessions import not_captured
from gpu.stand_ins import StandInEngine, echo, echo_frames
from gpu.subject import Row, Subject

__all__ = ["check"]

_NBYTES = 1 << 16


class _Neighbor(threading.Thread):
    """Allocates, fills, copies and waits until it is told to stop."""

    def __init__(self, device: Device) -> None:
        super().__init__(daemon=True)
        self.rounds = 0
        self.wrong = 0
        self.failed = ""
        self._device = device
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            with self._device.current(), self._device.stream() as stream, self._device.event() as done:
                while not self._stopped.is_set():
                    value = self.rounds % 251
                    with (
                        self._device.device_buffer(_NBYTES) as one,
                        self._device.device_buffer(_NBYTES) as other,
                        self._device.host_buffer(_NBYTES) as host,
                        idle_afterwards(stream),
                    ):
                        stream.fill(one.pointer, value, _NBYTES)
                        stream.copy(other.pointer, one.pointer, _NBYTES)
                        stream.download(host.array, other.pointer)
                        stream.record(done)
                        done.synchronize()
                        self.wrong += bool((host.array != value).any())
                        stream.synchronize()
                    self.rounds += 1
        except FcnEdgeError as error:
            self.failed = str(error)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def check(subject: Subject) -> Iterator[Row]:
    """Masks of frames of many sizes, each of which is a graph of its own, with a neighbor at work and without."""
    real, settings = subject.references.real, subject.settings
    height, width = real.frames[0].shape[:2]
    sizes = [(height - 2 * step, width - 3 * step) for step in range(min(settings.frames, 30))]
    frames = [echo_frames(size, 1)[0] for size in sizes]
    with StandInEngine(subject.open(), echo(real)) as engine, engine.session() as session:
        alone = [session.labels(frame) for frame in frames]
    with subject.open() as other, StandInEngine(subject.open(), echo(real)) as engine, engine.session() as session:
        neighbor = _Neighbor(other)
        neighbor.start()
        try:
            masks = [session.labels(frame) for frame in frames]
        finally:
            neighbor.stop()
        differ = sum(not np.array_equal(one, two) for one, two in zip(alone, masks, strict=True))
        captured = not_captured(session)
    row: Row = {"captures": len(frames), "neighbor_rounds": neighbor.rounds, "graphs": session.graphs}
    problems = [f"{differ} of {len(frames)} masks are others"] if differ else []
    problems += [f"{neighbor.wrong} of the neighbor's copies are wrong"] if neighbor.wrong else []
    problems += [f"the neighbor fails: {neighbor.failed.rstrip('.')}"] if neighbor.failed else []
    row |= {"agree": not problems}
    row |= {"failed": f"With another thread at work, {' and '.join(problems)}."} if problems else {}
    yield row | captured
