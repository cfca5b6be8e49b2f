"""A kernel sent out of its memory, which ends the GPU's context in this process: what people are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fcn_edge.artifacts.spec import Resize
from fcn_edge.errors import MachineError
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import decode_launch
from gpu.cases import VOID
from gpu.pseudo_random import noise
from gpu.subject import Row, Subject
from gpu.workbench import Workbench

__all__ = ["TOLD", "check"]

TOLD = "The GPU was stopped because a kernel went out of its memory"
NOWHERE = 1 << 45
"""An address that no allocation has."""


def check(subject: Subject) -> Iterator[Row]:
    """One row: the words of the first wait, of the one after it, and of giving all back."""
    said: Row = {}
    try:
        with subject.open() as device, Workbench(device) as bench:
            scores = noise((1, 11, 8, 12))
            mapping = placement((64, 96), (64, 96), Resize()).mapping(8)
            flag = bench.put(np.zeros(1, np.int32))
            bench.launch(decode_launch(bench.put(scores), scores.dtype, scores.shape, mapping, VOID, NOWHERE, flag))
            said["first"] = _said(bench.stream.synchronize)
            said["then"] = _said(lambda: bench.room(1 << 20))
    except MachineError as error:
        said["at_the_end"] = str(error)
    row = said | {"agree": said.get("first", "").startswith(TOLD) and bool(said.get("then"))}
    yield row if row["agree"] else row | {"failed": f"A kernel out of its memory is told as: {said}."}


def _said(call: Callable[[], object]) -> str:
    try:
        call()
    except MachineError as error:
        return str(error)
    return ""
