"""What lies between frames: how long the GPU idles, what a launch costs the processor, how late a waiter wakes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.options import RunOptions
from gpu.stand_ins import StandInEngine, stored
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["check"]


def check(subject: Subject) -> Iterator[Row]:
    """A row for each session, with frames one by one and one ahead; one for the waits."""
    for graphs in (True, False):
        device = subject.open()
        with StandInEngine(device, stored(subject.references.real), RunOptions(graphs=graphs)) as engine:
            for ahead in (0, 1):
                yield _between_frames(subject, device, engine, ahead)
    yield from _waits(subject)


def _between_frames(subject: Subject, device: Device, engine: StandInEngine, ahead: int) -> Row:
    """Frames follow each other with one, or none, enqueued behind the one that is waited for."""
    frames, count = subject.references.real.frames, subject.settings.frames
    gaps, launches = [], []
    under_way: deque[Any] = deque()
    earlier: Any = None
    with engine.session() as session:
        session.labels(frames[0])
        for index in range(count + ahead):
            if index < count:
                under_way.append(session.infer(session.preprocess(frames[index % len(frames)])))
            if index < ahead:
                continue
            done = under_way.popleft()
            session.postprocess(done)
            launches.append(done.timing.gpu.enqueue)
            if earlier is not None:
                with device.current():
                    gaps.append(done.data.slot.started.ns_since(earlier.data.slot.done))
            earlier = done
        row: Row = {"graph": session.graphs, "frames_ahead": ahead, "frames": count}
        del earlier, done
        return row | {"idle_us": _spread(gaps), "launch_us": _spread(launches)}


def _waits(subject: Subject) -> Iterator[Row]:
    with subject.open() as device, Workbench(device) as bench, device.event() as done:
        pointer = bench.room(4)
        waits = {"for an event, asleep": done.synchronize, "for a stream": bench.stream.synchronize}
        for name, wait in waits.items():
            times = []
            for _ in range(subject.settings.frames):
                begun = time.perf_counter_ns()
                bench.stream.fill(pointer, 0, 4)
                bench.stream.record(done)
                wait()
                times.append(time.perf_counter_ns() - begun)
            bench.stream.synchronize()
            yield {"wait": name, "of": "four bytes filled, from the call to the wake-up", "us": _spread(times)}


def _spread(times_ns: Sequence[int]) -> Row:
    """Median, 99th percentile and extremes in microseconds."""
    values = np.asarray(times_ns) / 1e3
    told = {"median": np.median(values), "p99": np.percentile(values, 99), "least": values.min(), "most": values.max()}
    return {name: round(float(value), 2) for name, value in told.items()}
