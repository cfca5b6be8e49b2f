"""Every backend, behind one fixture: the tests of the contract know none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Engine
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.options import BuildOptions
from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.testing.engine import FakeEngine
from fcn_edge.testing.gpu import FakeGpu

from ..backends.cuda.gpu import KERNELS, FakeGpuEngine


@dataclass(frozen=True)
class Subject:
    """An engine, and its network, which knows what it gives for an input image."""

    engine: Engine
    network: Any


MakeSubject = Callable[..., Subject]


BATCH = 3
"""Frames that the engines take at once that take several."""

TAKE_SEVERAL = [*(name for name in BACKENDS if backend(name).batches), "fake"]
"""Backends whose engines may take several frames at once."""

KINDS = [*BACKENDS, "fake", "fake-gpu", "fake-board", *(f"{name} x{BATCH}" for name in TAKE_SEVERAL)]


@pytest.fixture(params=KINDS)
def subject(request: pytest.FixtureRequest, tmp_path: Path, tiny_network: Callable[..., Any]) -> Iterator[MakeSubject]:
    """Makes an engine of a backend, built and opened as an engine directory is; closes it at the end."""
    made: list[Engine] = []
    kind, _, several = request.param.partition(" x")
    batch = int(several or 1)

    def make(size: tuple[int, int] = (64, 96), **how: Any) -> Subject:
        network = tiny_network(tmp_path / f"model{len(made)}.onnx", **how)

        def output(image: NDArray[np.uint8]) -> NDArray[Any]:
            if network.spec.head == "labels":
                return network.labels(image)
            return network.scores(image).astype(np.float32)

        if kind == "fake":
            engine: Engine = FakeEngine(network.spec, size, output, batch=batch)
        elif kind in ("fake-gpu", "fake-board"):
            # all of a GPU's backend but its driver and its network: on a card, and on a board that shares its memory
            gpu = FakeGpu(KERNELS, integrated=kind == "fake-board")
            device = Device(gpu, tmp_path / "kernels")
            where = "host" if kind == "fake-board" else "device"
            engine = FakeGpuEngine(gpu, device, network.spec, size, output=output, preprocess_on=where)
        else:
            chosen = backend(kind)
            probe = chosen.probe()
            if not probe.available:
                pytest.skip(f"{kind}: {probe.problem}")
            if batch > 1:
                take_several(network.path, batch)
            directory = tmp_path / f"engine{len(made)}"
            directory.mkdir()
            files = chosen.build(network.path, directory, size, BuildOptions(batch=batch)).files
            assert chosen.plan_file in files
            assert {chosen.plan_file, *chosen.extra_files} >= set(files)
            assert sorted(files) == sorted(path.name for path in directory.iterdir())
            engine = chosen.open(directory, network.spec, size)
        made.append(engine)
        return Subject(engine, network)

    yield make
    for engine in made:
        engine.close()


def take_several(path: Path, batch: int) -> None:
    """Let the graph of an ONNX file take several images at once."""
    import onnx

    from fcn_edge.quantization.batching import batch_graph

    model = onnx.load_model(path)
    batch_graph(model, batch)
    onnx.save_model(model, path)


@pytest.fixture
def frame() -> Callable[..., NDArray[np.uint8]]:
    """A frame of a size: soft shapes, so that the mask has areas of several classes."""

    def make(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
        rng = np.random.default_rng(seed)
        coarse = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3), np.uint8)
        return np.ascontiguousarray(coarse.repeat(12, axis=0).repeat(12, axis=1)[:height, :width])

    return make
