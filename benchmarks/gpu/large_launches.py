"""One launch of each kernel at the size that is timed: what runs beneath a profiler."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import decode_launch, overlay_launch, preprocess_launch
from fcn_edge.ops.overlay import palette_bgr
from gpu.cases import MEAN, VOID
from gpu.pseudo_random import bytes_of
from gpu.real_scores import widened
from gpu.speed import CLASSES
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["FRAMES", "check"]

FRAMES = ((720, 1280), (1080, 1920), (2160, 3840))


def check(subject: Subject) -> Iterator[Row]:
    """A row for each launch, in order, with the bytes that it must move at least."""
    size, real = subject.settings.size, subject.references.real
    network = widened(real.scores, max(CLASSES, real.scores.shape[1])).astype(np.float16)
    pixels = size[0] * size[1]
    with subject.open() as device, Workbench(device) as bench:
        batch = min(subject.settings.batch, 64)
        at, labels = bench.put_repeated(network, batch), bench.room(batch * pixels)
        flag, out = bench.put(np.zeros(1, np.int32)), bench.room(pixels * 3)
        palette = bench.put(palette_bgr(LABEL_SETS["camvid"].palette))
        mapping = placement(size, size, Resize()).mapping(real.spec.stride, real.spec.geometry)
        shape = (batch, *network.shape[1:])
        bench.launch(decode_launch(at, network.dtype, shape, mapping, VOID, labels, flag, size[1]))
        yield {"launch": f"decode float16, {batch} frames", "bytes": batch * (network[0].nbytes + pixels)}
        for frame_size in FRAMES[:1] if subject.settings.quick else FRAMES:
            frame = bench.put(bytes_of((*frame_size, 3), 1))
            bench.launch(preprocess_launch(frame, placement(frame_size, size, Resize()), MEAN, out))
            yield {
                "launch": f"preprocess {frame_size[0]}x{frame_size[1]}",
                "bytes": 3 * (frame_size[0] * frame_size[1] + pixels),
            }
        image, mask = bench.put(bytes_of((*size, 3), 2)), bench.put(bytes_of(size, 3) % 11)
        bench.launch(overlay_launch(image, mask, palette, out, size))
        bench.stream.synchronize()
        yield {"launch": "overlay", "bytes": 7 * pixels}
