"""Boards' way on any GPU: memory that the processor and the GPU share, forced where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.backends.cuda.device import Device
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import preprocess_launch
from gpu.cases import MEAN
from gpu.pseudo_random import bytes_of
from gpu.sessions import disagreement, not_captured, opened
from gpu.settings import Settings
from gpu.stand_ins import echo, echo_frames
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["check"]

FRAMES = ((720, 1280), (1080, 1920))


def check(subject: Subject) -> Iterator[Row]:
    """Masks beside those of the other way, then a frame preprocessed out of the processor's memory and the GPU's."""
    settings, real = subject.settings, subject.references.real
    frames = echo_frames((real.frames[0].shape[0], real.frames[0].shape[1]), 4)
    with ExitStack() as stack:
        shared, rows = opened(subject, echo(real), stack, integrated=True)
        yield from rows
        others, _ = opened(subject, echo(real), stack, integrated=False)
        every = {f"shared memory, {name}": session for name, session in shared.items()}
        every |= {f"copies, {name}": session for name, session in others.items()}
        count = min(settings.frames, 100)
        differ = disagreement(every, frames, count)
        row: Row = {"sessions": list(every), "frames": count, "unlike": differ, "agree": not differ}
        yield row if not differ else row | {"failed": f"{differ} of {count} masks differ where memory is shared."}
        for name, session in every.items():
            if session.capture_failure:
                yield {"session": name} | not_captured(session)
    with subject.open() as device:
        for frame in ((90, 160),) if settings.quick else FRAMES:
            yield _timed(device, frame, settings)


def _timed(device: Device, frame: Size, settings: Settings) -> Row:
    """A frame read where it lies: over the bus on a GPU with memory of its own, uncached on some boards."""
    image, times = bytes_of((*frame, 3), 0), {}
    place = placement(frame, settings.size, Resize())
    with Workbench(device) as bench, device.host_buffer(image.nbytes, mapped=True) as mapped:
        mapped.array[...] = image.reshape(-1)
        made = []
        for where, pointer in (("mapped", mapped.pointer), ("device", bench.put(image))):
            out = bench.room(settings.size[0] * settings.size[1] * 3)
            launch = preprocess_launch(pointer, place, MEAN, out)
            times[where] = bench.median_ns(lambda launch=launch: bench.launch(launch), settings)
            made.append(bench.get(out, (*settings.size, 3), np.uint8))
        bench.stream.synchronize()
    same = np.array_equal(*made)
    row: Row = {"kernel": "preprocess", "frame": list(frame), "agree": same}
    row |= {f"{where}_us": round(ns / 1e3, 3) for where, ns in times.items()}
    row |= {"mapped_times_device": round(times["mapped"] / max(times["device"], 1), 2)}
    return row if same else row | {"failed": "A frame in mapped memory is preprocessed to another image."}
