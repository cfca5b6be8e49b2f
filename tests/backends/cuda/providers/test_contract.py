"""What every library that reaches the GPU promises, tested on each: over a fake GPU, and of the fake itself."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda import kernel_cache
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.driver import Driver
from fcn_edge.backends.cuda.errors import RefusedCodeError
from fcn_edge.backends.cuda.providers import cuda_python, pycuda
from fcn_edge.backends.cuda.providers.cuda_python import CudaPython
from fcn_edge.backends.cuda.providers.pycuda import PyCuda
from fcn_edge.errors import DeviceError, MachineError
from fcn_edge.testing.engine import FakeSession, fake_spec
from fcn_edge.testing.gpu import FakeGpu

from ..gpu import KERNELS, FakeGpuEngine
from ..rig import SIZE, Held, frame, on_the_host
from .fake_cuda_python import FakeDriver, FakeNvrtc
from .fake_pycuda import NVCC, fake_pycuda

LIBRARIES = ("cuda-python", "pycuda")
SOURCE = 'extern "C" __global__ void kernel(float *data) {}'

Reach = Callable[..., tuple[Driver, FakeGpu]]


def reached(library: str, gpu: FakeGpu, index: int = 0) -> Driver:
    """A fake GPU through a library."""
    if library == "cuda-python":
        nvrtc = FakeNvrtc(gpu)
        return CudaPython(FakeDriver(gpu), lambda: nvrtc, index)
    if library == "pycuda":
        driver, compiler = fake_pycuda(gpu)
        return PyCuda(driver, lambda: (compiler, NVCC), index)
    return gpu


@pytest.fixture(autouse=True)
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pycuda.metadata, "version", lambda package: {"pycuda": "2026.1"}[package])
    monkeypatch.setattr(cuda_python, "_version", lambda: "13.4.4")


@pytest.fixture(params=[*LIBRARIES, "the fake itself"])
def reach(request: pytest.FixtureRequest) -> Reach:
    """Makes a fake GPU and reaches it through the library."""

    def make(**how: Any) -> tuple[Driver, FakeGpu]:
        gpu = FakeGpu(KERNELS, **how)
        return reached(request.param, gpu, gpu.facts.index), gpu

    return make


def stream_of_another_library(gpu: FakeGpu) -> int:
    gpu.enter()
    stream = gpu.stream_create()
    gpu.leave()
    gpu.calls.clear()
    return stream


def give_back(gpu: FakeGpu, stream: int) -> None:
    gpu.enter()
    gpu.stream_destroy(stream)
    gpu.leave()


def test_facts(reach: Reach) -> None:
    driver, gpu = reach(integrated=True, index=1)
    facts = driver.facts
    assert (facts.name, facts.arch, facts.integrated, facts.index) == ("Fake GPU", "sm_87", True, 1)
    assert (facts.multiprocessors, facts.total_bytes, facts.driver) == (16, 1 << 33, (13, 0))
    assert gpu.calls == []  # no context is made for them


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_gpu_that_is_not_there_is_told(library: str) -> None:
    with pytest.raises(DeviceError, match="no GPU 2: this machine has GPUs 0 to 1"):
        reached(library, FakeGpu(index=1), 2)


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
@pytest.mark.parametrize("head", ["scores", "labels"])
def test_a_session_runs_through_it_and_leaves_nothing(
    reach: Reach, tmp_path: Path, integrated: bool, head: str
) -> None:
    driver, gpu = reach(integrated=integrated)
    network = (lambda image: image[..., 0] % 11) if head == "labels" else None
    spec = fake_spec(head=head)
    host = FakeSession(spec, SIZE, network)
    with FakeGpuEngine(gpu, Device(driver, tmp_path), spec, SIZE, output=network) as engine:
        for _ in range(2):
            with engine.session() as session:
                for image in (frame(), frame(90, 70), frame(seed=1)):
                    np.testing.assert_array_equal(session.labels(image), host.labels(image))
                assert session.graphs == driver.has_graphs
    assert gpu.leftovers == []


def test_scores_confidence_and_frames_of_the_gpu(reach: Reach, tmp_path: Path) -> None:
    driver, gpu = reach()
    theirs = stream_of_another_library(gpu)
    host = FakeSession(fake_spec(), SIZE)
    with FakeGpuEngine(gpu, Device(driver, tmp_path), fake_spec(), SIZE) as engine, engine.session() as session:
        np.testing.assert_array_equal(session.scores(frame(*SIZE)), host.scores(frame(*SIZE)))
        labels, confidence = session.postprocess_with_confidence(session.infer(session.preprocess(frame())))
        expected = host.postprocess_with_confidence(host.infer(host.preprocess(frame())))
        np.testing.assert_array_equal(labels, expected[0])
        np.testing.assert_array_equal(confidence, expected[1])
        for padding in (0, 5):
            held = Held(gpu, frame(seed=2), theirs, padding=padding)
            np.testing.assert_array_equal(session.labels(held), on_the_host(frame(seed=2)))
        give_back(gpu, theirs)
    assert gpu.leftovers == []


def test_every_thread_has_the_context_while_it_calls_and_not_longer(reach: Reach, tmp_path: Path) -> None:
    driver, gpu = reach()
    expected = on_the_host(frame())
    with (
        FakeGpuEngine(gpu, Device(driver, tmp_path), fake_spec(), SIZE) as engine,
        engine.session() as session,
        ThreadPoolExecutor(1) as first,
        ThreadPoolExecutor(1) as second,
        ThreadPoolExecutor(1) as third,
    ):
        for _ in range(5):
            job = first.submit(session.preprocess, frame()).result()
            job = second.submit(session.infer, job).result()
            np.testing.assert_array_equal(third.submit(session.postprocess, job).result(), expected)
        depths = [thread.submit(lambda: gpu.entered).result() for thread in (first, second, third)]
    assert depths == [0, 0, 0]
    assert gpu.entered == 0


def test_copies_and_fills(reach: Reach, tmp_path: Path) -> None:
    driver, _ = reach()
    with (
        Device(driver, tmp_path) as device,
        device.current(),
        device.stream() as stream,
        device.host_buffer(12) as source,
        device.device_buffer(12) as there,
        device.host_buffer(12, mapped=True) as target,
    ):
        assert source.pointer == 0
        source.array[...] = np.arange(12)
        stream.fill(there.pointer, 7, 12)
        stream.upload(there.pointer, source.array[:8])
        stream.copy(target.pointer, there.pointer, 12)
        stream.synchronize()
        np.testing.assert_array_equal(target.array, [*range(8), 7, 7, 7, 7])
        stream.copy_rows(target.pointer, 2, there.pointer, 4, 2, 3)
        stream.download(source.array, there.pointer)
        stream.synchronize()
        np.testing.assert_array_equal(target.array[:6], [0, 1, 4, 5, 7, 7])
        np.testing.assert_array_equal(source.array, [*range(8), 7, 7, 7, 7])
        assert device.free_bytes() == driver.facts.total_bytes - 12


def test_a_stream_waits_for_other_streams_and_the_host_for_events(reach: Reach, tmp_path: Path) -> None:
    driver, gpu = reach()
    theirs = stream_of_another_library(gpu)
    with Device(driver, tmp_path) as device, device.current(), device.stream() as first, device.stream() as second:
        with device.host_buffer(4, mapped=True) as memory, device.event() as begun, device.event() as ended:
            gpu.fill(memory.pointer, 3, 4, theirs)
            first.join(theirs)
            first.record(begun)
            first.fill(memory.pointer, 7, 4)
            first.record(ended)
            second.wait(ended)
            waits = gpu.host_waits
            assert 7 not in memory.array  # nothing is done before somebody waits
            second.synchronize()
            assert memory.array.tolist() == [7] * 4
            ended.synchronize()
            assert ended.ns_since(begun) == 2000
            assert gpu.host_waits == waits + 2
        give_back(gpu, theirs)


def test_work_is_captured_where_there_are_graphs(reach: Reach, tmp_path: Path) -> None:
    driver, _ = reach()
    with Device(driver, tmp_path) as device, device.current(), device.stream() as stream:
        if not device.has_graphs:
            with pytest.raises(MachineError, match="no CUDA graphs"):
                stream.capture(lambda: None)
            return
        with device.host_buffer(1, mapped=True) as memory:
            memory.array[...] = 0
            with stream.capture(lambda: stream.fill(memory.pointer, 7, 1)) as graph:
                stream.synchronize()
                assert memory.array[0] == 0
                stream.launch_graph(graph)
                stream.synchronize()
                assert memory.array[0] == 7


def test_failures_are_ours(reach: Reach, tmp_path: Path) -> None:
    driver, _ = reach(total_bytes=10)
    full = pytest.raises(MachineError, match=r"no memory left \((cuMemAlloc|device_alloc)\)")
    with Device(driver, tmp_path) as device, device.current(), full:
        device.device_buffer(11)
    driver, _ = reach(fail_at=2)
    driver.enter()
    with pytest.raises(DeviceError, match=r"The GPU failed in (cuStreamCreate|stream_create): "):
        driver.stream_create()
    driver.leave()


def test_code_that_the_driver_refuses_is_told_from_other_failures(reach: Reach) -> None:
    driver, gpu = reach()
    gpu.modules.refused.add(b"stale code")
    driver.enter()
    with pytest.raises(RefusedCodeError, match="no code for this GPU"):
        driver.module_load(b"stale code")
    driver.leave()


@pytest.mark.parametrize("library", LIBRARIES)
def test_kernels_that_do_not_compile_are_one_sentence(library: str) -> None:
    driver = reached(library, FakeGpu(fail_at=2))
    driver.enter()
    with pytest.raises(MachineError, match=r"The GPU code cannot be compiled: decode\.cu: ") as caught:
        driver.compile(SOURCE, "decode.cu")
    driver.leave()
    assert "\n" not in str(caught.value)


def test_what_one_compiles_the_others_load_without_their_compiler(reach: Reach, tmp_path: Path) -> None:
    driver, _ = reach()
    driver.enter()
    driver.module_unload(kernel_cache.module_of(driver, SOURCE, "kernel.cu", tmp_path))
    driver.leave()
    for library in (*LIBRARIES, "the fake itself"):
        other = reached(library, gpu := FakeGpu())
        other.enter()
        other.module_unload(kernel_cache.module_of(other, SOURCE, "kernel.cu", tmp_path))
        other.leave()
        assert "compile" not in [name for name, *_ in gpu.calls]
