"""The network of torch that stands in for TensorRT's, on a processor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.testing.gpu import FakeGpu

from ..conftest import Run


def test_it_ends_at_the_stride_of_the_shipped_model(gpu_check: ModuleType) -> None:
    torch = pytest.importorskip("torch")
    module = import_module("gpu.torch_network")
    weights = module.weights_of(torch, 11, "cpu")
    image = torch.from_numpy(import_module("gpu.pseudo_random").bytes_of((64, 96, 3), 1).copy())
    scores = module.scores_by(torch, weights, image)
    assert (tuple(scores.shape), scores.dtype) == ((11, 8, 12), torch.float16)
    values = scores.float().numpy()
    assert np.isfinite(values).all()
    assert 0.02 < values.std() < 50
    assert len(np.unique(values.argmax(axis=0))) > 2


@pytest.mark.parametrize("wrong", [False, True])
def test_it_runs_between_our_kernels(
    run_gpu_check: Callable[..., Run],
    gpu_check: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    gpus: list[FakeGpu],
    wrong: bool,
) -> None:
    """On the processor, its arrays lent to the fake GPU and its work done in the order of the stream."""
    torch = pytest.importorskip("torch")
    module = import_module("gpu.torch_network")

    class OnTheFake(module.TorchNetwork):  # type: ignore[name-defined, misc]
        def __init__(self, given: Any, size: tuple[int, int], classes: int, stream: int) -> None:
            super().__init__(given, size, classes, stream, device="cpu")
            self._gpu = gpus[-1]
            self.input_pointer = self._gpu.lend(self._input.numpy().reshape(-1))
            self.output_pointer = self._gpu.lend(self.output.numpy().view(np.uint8).reshape(-1))

        def enqueue(self, stream: int) -> None:
            self._gpu.enqueue(stream, "torch", self._run, (self.input_pointer, self.output_pointer))

        def _run(self) -> None:
            super().enqueue(self._handle)
            if wrong and ("graph_launch",) not in self._gpu.calls:
                self.output[:, 0, 0] = torch.arange(len(self.output))

        def close(self) -> None:
            for pointer in (self.input_pointer, self.output_pointer):
                self._gpu.memory.live.pop(pointer)

    made = SimpleNamespace(synchronize=lambda: None)
    monkeypatch.setattr(module, "TorchNetwork", OnTheFake)
    monkeypatch.setattr(module, "_alone", lambda network, repeats: 0.25)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "ExternalStream", lambda handle: made)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    done = run_gpu_check("--only", "network")
    assert done.exit_code == (4 if wrong else 0), done.stderr
    assert wrong == ("cuda-python, network: 4 of 4 masks of a torch network differ in a graph." in done.stderr)
    compared, graph, plain = done.rows("network")
    assert (compared["frames"], compared["unlike_without_a_graph"]) == (4, 4 if wrong else 0)
    assert [(row["session"], row["graph"], row["wrong_pixels"]) for row in (graph, plain)] == [
        ("graph", True, 0),
        ("no graph", False, 0),
    ]
    assert all(row["network_in_the_chain_ms"] > 0 and row["gpu_ms"]["compute"] > 0 for row in (graph, plain))
