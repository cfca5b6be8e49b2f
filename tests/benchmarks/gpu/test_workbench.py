"""How work is timed on a GPU."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from fcn_edge.backends.cuda.device import Device
from fcn_edge.testing.gpu import FakeGpu


def test_work_is_enqueued_while_the_gpu_is_busy(gpu_check: ModuleType) -> None:
    gpu, settings = FakeGpu(), import_module("gpu.settings").Settings(repeats=3, warm_up_s=0.0, fills=2)
    with Device(gpu) as device, import_module("gpu.workbench").Workbench(device) as bench:
        pointer = bench.room(8)
        ns = bench.median_ns(lambda: bench.stream.fill(pointer, 7, 8), settings)
    assert ns == 2000  # the fake takes a microsecond a step: the work and the last event
    timed = gpu.calls[gpu.calls.index(("fill", 0, 64)) :]
    once = [("fill", 0, 64), ("fill", 0, 64), ("event_record",), ("fill", 7, 8), ("event_record",)]
    assert timed[: 3 * 7] == [*once, ("event_synchronize",), ("event_elapsed_ms",)] * 3
