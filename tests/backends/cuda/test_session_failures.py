"""A GPU's session when calls of the driver fail: everything is given back, and the error is ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.backends.cuda.device import Device
from fcn_edge.errors import MachineError
from fcn_edge.testing.engine import fake_spec
from fcn_edge.testing.gpu import FakeGpu

from .gpu import KERNELS, FakeGpuEngine
from .rig import SIZE, Held, Rig, frame


def numbered_calls(directory: Path, use: Callable[[Rig], None], **how: Any) -> int:
    """How many calls a fake of a use makes in all, from the engine to its end."""
    made = Rig.__new__(Rig)
    made.gpu = FakeGpu(KERNELS, integrated=how.get("integrated", False))
    run(made, directory, use, how)
    return len(made.gpu.calls)


def run(made: Rig, directory: Path, use: Callable[[Rig], None], how: dict[str, Any]) -> None:
    device = Device(made.gpu, directory)
    spec = fake_spec(classes=("one", "two"), palette=((0, 0, 0), (1, 1, 1)))
    made.engine = FakeGpuEngine(made.gpu, device, spec, (32, 32), graphs=how.get("graphs", True))
    with made.engine, made.engine.session() as made.session:
        use(made)


def use_everything(made: Rig) -> None:
    session = made.session
    session.warm_up((16, 24))
    session.labels(frame(24, 16))
    session.postprocess_with_confidence(session.infer(session.preprocess(frame(24, 16))))
    session.scores(frame(32, 32))
    jobs = [session.infer(session.preprocess(frame(24, 16, seed))) for seed in range(2)]
    session.postprocess_with_confidence(jobs[0])
    session.expects_confidence = True
    session.postprocess_with_confidence(session.infer(session.preprocess(frame(24, 16))))
    session.postprocess(session.infer(session.preprocess(Held(made.gpu, frame(16, 24)))), device=True)


@pytest.mark.parametrize(
    ("how", "sticky"),
    [({}, False), ({}, True), ({"integrated": True}, False), ({"graphs": False}, False)],
    ids=["card", "card, from then on", "board", "no graphs"],
)
def test_whatever_fails_everything_is_freed_and_the_error_is_ours(
    tmp_path: Path, how: dict[str, Any], sticky: bool
) -> None:
    numbered_calls(tmp_path, use_everything, **how)  # leaves the kernels compiled
    total = numbered_calls(tmp_path, use_everything, **how)
    assert total > 100
    passed = set()
    # most calls are made again for each slot and frame: a step that no period divides meets each kind at some frame
    for number in range(1, total + 1, 7 if how or sticky else 3):
        made = Rig.__new__(Rig)
        made.gpu = FakeGpu(KERNELS, integrated=how.get("integrated", False), fail_at=number, sticky=sticky)
        try:
            run(made, tmp_path, use_everything, how)
            passed.add(made.gpu.failed)
        except MachineError:  # nothing else may come out
            pass
        assert made.gpu.failed, number
        assert made.gpu.leftovers == [], (number, made.gpu.failed)
        assert made.gpu.closed, number
    # a capture that fails is done without; no other failure may pass unseen
    assert passed <= {
        "capture_begin", "capture_end", "upload", "launch", "network", "event_record", "fill", "copy_rows", "download",
        "graph_destroy",
    }  # fmt: skip


def test_a_kernel_that_does_not_compile_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    gpu = FakeGpu(KERNELS)
    device = Device(gpu, tmp_path)

    def compile_nothing(source: str, name: str) -> bytes:
        raise MachineError(f"{name} does not compile.")

    gpu.compile = compile_nothing  # type: ignore[method-assign]
    with FakeGpuEngine(gpu, device, fake_spec(), SIZE) as engine, pytest.raises(MachineError, match=r"preprocess\.cu"):
        engine.session()
    assert gpu.leftovers == []
