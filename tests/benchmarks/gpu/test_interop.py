"""Arrays of other libraries in the GPU check."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.testing.gpu import FakeGpu

from ..conftest import Run


class Held:
    """Rows in the fake GPU's memory."""

    def __init__(self, gpu: FakeGpu, rows: NDArray[np.uint8], width: int) -> None:
        self._gpu = gpu
        self._pointer = gpu.lend(rows.reshape(-1).copy())
        self.__cuda_array_interface__ = {
            "shape": (len(rows), width, 3),
            "typestr": "|u1",
            "data": (self._pointer, False),
            "strides": (rows.shape[1], 3, 1),
            "stream": None,
            "version": 3,
        }

    def __del__(self) -> None:
        self._gpu.memory.live.pop(self._pointer, None)


@pytest.mark.parametrize("wrong", [False, True])
def test_masks_of_their_frames_are_compared(
    run_gpu_check: Callable[..., Run],
    gpu_check: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    gpus: list[FakeGpu],
    wrong: bool,
) -> None:
    interop = import_module("gpu.interop")

    def hold(rows: NDArray[np.uint8], width: int) -> Any:
        return Held(gpus[-1], rows ^ 3 if wrong else rows, width)

    def fetch(mask: Any) -> NDArray[np.uint8]:
        told = mask.__cuda_array_interface__
        (height, width), (pitch, _) = told["shape"], told["strides"]
        rows = gpus[-1].memory.view(told["data"][0], np.uint8, (height, pitch))
        return rows[:, :width].copy()

    monkeypatch.setattr(interop, "libraries", lambda: [interop.Library("held", hold, fetch), {"absent": "of another"}])
    done = run_gpu_check("--only", "interop")
    assert done.exit_code == (4 if wrong else 0), done.stderr
    *ways, absent = done.rows("interop")
    assert [(row["by"], row["rounds"], row["masks_left_on_the_gpu"]) for row in ways] == [
        ("dlpack", 8, 4),
        ("__cuda_array_interface__", 8, 4),
    ]
    assert [row["agree"] for row in ways] == [not wrong] * 2
    assert absent == {"absent": "of another"}
