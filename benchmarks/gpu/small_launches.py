"""Each kernel in its small cases, launched and nothing more: what runs beneath a tool that watches the GPU."""

from __future__ import annotations

from collections.abc import Iterator

from gpu.cases import decode_cases, image_cases
from gpu.kernel_runs import image_of, masks_of
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["check"]

_LARGEST_PIXELS = 256 * 512


def check(subject: Subject) -> Iterator[Row]:
    """A row with the number of launches."""
    launches = 0
    with subject.open() as device:
        for case in decode_cases(subject.references.real, quick=True):
            if case.mapping.frame_size[0] * case.mapping.frame_size[1] <= _LARGEST_PIXELS:  # not the network's own
                with Workbench(device) as bench:
                    masks_of(bench, case.scores, case.mapping)
                launches += 1
        for image in image_cases(quick=True):
            with Workbench(device) as bench:
                image_of(bench, image)
            launches += 1
    yield {"launches": launches}
