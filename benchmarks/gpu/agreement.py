"""Every kernel beside the float64 reference or its twin on the host, and beside its own source run on a processor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fcn_edge.artifacts.spec import Resize
from fcn_edge.backends.cuda.device import Device
from fcn_edge.ops.geometry import placement
from gpu.cases import DTYPES, decode_cases, image_cases
from gpu.kernel_runs import image_of, masks_of
from gpu.pseudo_random import noise
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["check"]

GRAY_LEVELS = 1
"""What the image kernels may differ by: they round otherwise than OpenCV."""


def check(subject: Subject) -> Iterator[Row]:
    """A row for each case that disagrees, as soon as it is known; then one for each kernel."""
    kernels: dict[str, _Tally] = {}
    with subject.open() as device:
        for row in _rows(subject, device):
            kernels.setdefault(row["kernel"], _Tally()).count(row)
            if not row["agree"]:
                yield row
        yield from _finds_what_is_not_finite(device)
    for kernel, tally in kernels.items():
        yield {"kernel": kernel} | tally.row


@dataclass
class _Tally:
    """All cases of one kernel."""

    cases: int = 0
    agreeing: int = 0
    pixels: int = 0
    unlike_emulated: int = 0
    not_emulated: int = 0
    gray_levels_apart: int = 0

    def count(self, row: Row) -> None:
        self.cases += 1
        self.agreeing += row["agree"]
        self.pixels += row["pixels"]
        self.unlike_emulated += row["as_emulated"] is False
        self.not_emulated += row["as_emulated"] is None
        self.gray_levels_apart = max(self.gray_levels_apart, row.get("gray_levels_apart", 0))

    @property
    def row(self) -> Row:
        return {
            "cases": self.cases,
            "agreeing": self.agreeing,
            "pixels": self.pixels,
            "most_gray_levels_apart": self.gray_levels_apart,
            "unlike_emulated": self.unlike_emulated,
            "not_emulated": self.not_emulated,
        }


def _rows(subject: Subject, device: Device) -> Iterator[Row]:
    references, quick = subject.references, subject.settings.quick
    for case in decode_cases(references.real, quick):
        with Workbench(device) as bench:
            masks, flagged, untouched = masks_of(bench, case.scores, case.mapping)
        wrong = references.expected(case).wrong_pixels(masks, case.scores, case.mapping)
        problems = [f"{wrong} of {masks.size} pixels are wrong"] if wrong else []
        problems += ["finite scores were taken for others"] if flagged else []
        problems += [] if untouched else ["bytes between the rows were written"]
        yield _row(case.kernel, case.key, masks.size, references.as_emulated(case.key, masks), problems)
    for image in image_cases(quick):
        with Workbench(device) as bench:
            made = image_of(bench, image)
        apart = int(np.abs(made.astype(np.int16) - image.on_host()).max())
        problems = [f"{apart} gray levels"] if apart > GRAY_LEVELS else []
        row = _row(image.kernel, image.key, made.size // 3, references.as_emulated(image.key, made), problems)
        yield row | {"gray_levels_apart": apart}


def _row(kernel: str, key: str, pixels: int, as_emulated: bool | None, problems: list[str]) -> Row:
    row = {"kernel": kernel, "input": key, "pixels": pixels, "as_emulated": as_emulated, "agree": not problems}
    return row | ({"failed": f"{kernel} disagrees on {key}: {' and '.join(problems)}."} if problems else {})


def _finds_what_is_not_finite(device: Device) -> Iterator[Row]:
    scores = noise((1, 11, 8, 12))
    mapping = placement((64, 96), (64, 96), Resize()).mapping(8)
    for dtype in DTYPES:
        for value in (np.nan, np.inf, -np.inf):
            spoiled = scores.astype(dtype)
            spoiled[0, 5, 4, 6] = value
            with Workbench(device) as bench:
                found = masks_of(bench, spoiled, mapping)[1]
            row = {"kernel": f"decode {spoiled.dtype}", "input": f"{value} among noise", "agree": found}
            yield row if found else row | {"failed": f"{row['kernel']} does not find {value} among noise."}
