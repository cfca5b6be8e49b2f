"""How long the kernels take beside what the GPU takes to copy as many bytes, by the GPU's own clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.backends.cuda.device import Device
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import Launch, decode_launch, overlay_launch, preprocess_launch
from fcn_edge.ops.overlay import palette_bgr
from gpu.cases import MEAN, VOID
from gpu.pseudo_random import bytes_of, noise
from gpu.real_scores import RealScores, border_share, widened
from gpu.settings import Settings
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["CLASSES", "check"]

CLASSES = 19
EXPECTED_TIMES_COPY = (4.0, 7.0)
"""How much longer than a copy of as many bytes the decoder should take at ``JUDGED_AT`` on a large GPU, by its
instructions, some 1,800 a thread. It is told, and nothing fails by it."""

JUDGED_AT = (512, 1024)
LEAST_BATCH = 256
"""A smaller batch fits into the cache, or is over too soon to be timed."""

LARGER_FRAMES = ((1080, 1920), (2160, 3840))
_BEYOND_CACHES = 256 << 20
_COPY_CHUNKS = (1, 1 << 8)


def check(subject: Subject) -> Iterator[Row]:
    """The bandwidth of a copy, then a row for each kernel."""
    real, settings = subject.references.real, subject.settings
    with subject.open() as device:
        copy = _copy_bandwidth(device, settings)
        bandwidth = copy["bytes_per_s"]
        yield {"kernel": "copy"} | copy
        yield from _decoders(device, real, settings, bandwidth)
        yield _overlay(device, settings, bandwidth)
        yield from _preprocess(device, real, settings, bandwidth)


def _copy_bandwidth(device: Device, settings: Settings) -> Row:
    """Bytes read and written in a second by the faster of two ways to copy what a batch of masks and scores has."""
    moved = settings.batch * (_scores_bytes(settings.size, 2) + _pixels(settings.size))
    rows = {}
    with Workbench(device) as bench:
        nbytes = moved // 2  # each is read and written
        source, target = bench.room(nbytes), bench.room(nbytes)
        bench.stream.fill(source, 1, nbytes)
        for chunks in _COPY_CHUNKS:
            width = nbytes // chunks

            def work(width: int = width, chunks: int = chunks) -> None:
                bench.stream.copy_rows(target, width, source, width, width, chunks)

            rows[chunks] = 2 * width * chunks / bench.median_ns(work, settings) * 1e9
    return {"bytes": moved, "bytes_per_s": max(rows.values()), "of": "a copy on the device, bytes read and written"}


def _decoders(device: Device, real: RealScores, settings: Settings, bandwidth: float) -> Iterator[Row]:
    network = widened(real.scores, max(CLASSES, real.scores.shape[1]))
    own = f"{real.spec.name} on {real.source}, widened to {network.shape[1]} classes"
    wide = (real.frames[0].shape[0], real.frames[0].shape[1])
    judged = settings.size == JUDGED_AT and settings.batch >= LEAST_BATCH
    cases: list[tuple[str, NDArray[Any], Size, bool]] = [
        (own, network.astype(np.float16), settings.size, judged),
        (own, network, settings.size, False),
        (own, network.astype(np.float16), wide, False),
        (real.spec.name, real.scores.astype(np.float16), settings.size, False),
        ("noise", noise(network.shape).astype(np.float16), settings.size, False),
    ]
    for case in cases:
        yield _decode(device, real, settings, bandwidth, *case)


def _decode(
    device: Device,
    real: RealScores,
    settings: Settings,
    bandwidth: float,
    source: str,
    scores: NDArray[Any],
    frame: Size,
    judged: bool,
) -> Row:
    mapping = placement(frame, settings.size, real.spec.resize).mapping(real.spec.stride, real.spec.geometry)
    pitch = -(-frame[1] // 16) * 16
    shape = (settings.batch, *scores.shape[1:])
    with Workbench(device) as bench:
        at = bench.put_repeated(scores, settings.batch)
        labels = bench.room(settings.batch * frame[0] * pitch)
        flag = bench.put(np.zeros(1, np.int32))
        launch = decode_launch(at, scores.dtype, shape, mapping, VOID, labels, flag, pitch)
        ns = bench.median_ns(lambda: bench.launch(launch), settings)
    moved = scores[0].nbytes + _pixels(frame)
    row = _row(f"decode {scores.dtype}", source, frame, moved, ns / settings.batch, bandwidth, settings)
    row |= {"classes": scores.shape[1], "border_cells": round(border_share(scores.astype(np.float32)), 4)}
    if judged:
        lowest, highest = EXPECTED_TIMES_COPY
        row |= {"expected_times_copy": [lowest, highest], "as_expected": lowest <= row["times_copy"] <= highest}
    return row


def _overlay(device: Device, settings: Settings, bandwidth: float) -> Row:
    frame, pixels = settings.size, _pixels(settings.size)
    with Workbench(device) as bench:
        count = min(settings.batch, -(-_BEYOND_CACHES // (7 * pixels)))
        frames = bench.put_repeated(bytes_of((1, pixels * 3), 0), count)
        masks = bench.put_repeated(bytes_of((1, pixels), 1) % 11, count)
        palette, out = bench.put(palette_bgr(LABEL_SETS["camvid"].palette)), bench.room(count * pixels * 3)

        launches = [
            overlay_launch(frames + at * pixels * 3, masks + at * pixels, palette, out + at * pixels * 3, frame)
            for at in range(count)
        ]
        ns, graph = _each(bench, launches, settings)
    row = _row("overlay", "noise", frame, 7 * pixels, ns / settings.batch, bandwidth, settings)
    return row | {"launches_in_a_graph": graph}


def _preprocess(device: Device, real: RealScores, settings: Settings, bandwidth: float) -> Iterator[Row]:
    given = (real.frames[0].shape[0], real.frames[0].shape[1])
    for frame in (given,) if settings.quick else (given, *LARGER_FRAMES):
        image = bytes_of((*frame, 3), 0)
        pixels = _pixels(settings.size)
        place = placement(frame, settings.size, Resize())
        with Workbench(device) as bench:
            count = min(settings.batch, -(-_BEYOND_CACHES // (image.nbytes + 3 * pixels)))
            frames = bench.put_repeated(image.reshape(1, -1), count)
            out = bench.room(count * pixels * 3)
            launches = [
                preprocess_launch(frames + at * image.nbytes, place, MEAN, out + at * pixels * 3) for at in range(count)
            ]
            ns, graph = _each(bench, launches, settings)
        moved = image.nbytes + 3 * pixels
        row = _row("preprocess", "noise", frame, moved, ns / settings.batch, bandwidth, settings)
        yield row | {"launches_in_a_graph": graph}


def _each(bench: Workbench, launches: Sequence[Launch], settings: Settings) -> tuple[int, bool]:
    """Nanoseconds of a launch for each frame of a batch, and whether they were one graph."""

    def batch() -> None:
        for index in range(settings.batch):
            bench.launch(launches[index % len(launches)])

    work, graph = bench.at_once(batch)
    return bench.median_ns(work, settings), graph


def _row(kernel: str, source: str, frame: Size, moved: int, ns: float, bandwidth: float, settings: Settings) -> Row:
    reached = moved / ns * 1e9
    return {
        "kernel": kernel,
        "input": source,
        "network_size": list(settings.size),
        "frame": list(frame),
        "batch": settings.batch,
        "us_a_frame": round(ns / 1e3, 3),
        "bytes_a_frame": moved,
        "bytes_per_s": reached,
        "times_copy": round(bandwidth / reached, 3),
    }


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def _scores_bytes(size: Size, itemsize: int) -> int:
    return CLASSES * (size[0] // 8) * (size[1] // 8) * itemsize
