"""The fake refuses what a GPU would punish; the tests of the sessions rest on that."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda.device import Device
from fcn_edge.errors import DeviceError, MachineError
from fcn_edge.ops.kernels import Launch
from fcn_edge.testing.gpu import CudaMisuseError, FakeGpu
from fcn_edge.testing.gpu_memory import FakeMemory

SOURCE = 'extern "C" __global__ void add(unsigned char* bytes, int count, float by) { }'


def add(memory: FakeMemory, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
    pointer, count, by = arguments
    memory.view(pointer, np.uint8, count)[...] += int(by)


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu({"add": add})


@pytest.fixture
def device(gpu: FakeGpu, tmp_path: Path) -> Iterator[Device]:
    """A device that is current; whether it is left clean is up to the test."""
    made = Device(gpu, tmp_path)
    with made.current():
        yield made


def arguments(pointer: int, count: int = 8, by: float = 3) -> tuple[Any, ...]:
    return np.uint64(pointer), np.int32(count), np.float32(by)


def added(given: tuple[Any, ...], block: tuple[int, int, int] = (8, 1, 1)) -> Launch:
    return Launch("add", "add", (1, 1, 1), block, 0, given)


def test_bytes_go_there_and_back(device: Device, gpu: FakeGpu) -> None:
    with device.stream() as stream, device.device_buffer(8) as buffer, device.host_buffer(8) as host:
        host.array[...] = np.arange(8)
        stream.upload(buffer.pointer, host.array)
        stream.launch(device.function(SOURCE, "add.cu", "add"), added(arguments(buffer.pointer)))
        stream.synchronize()
        host.array[...] = 0
        stream.download(host.array, buffer.pointer)
        stream.synchronize()
        np.testing.assert_array_equal(host.array, np.arange(8) + 3)
    device.close()
    assert gpu.leftovers == []


def test_a_result_is_there_only_after_the_wait(device: Device) -> None:
    with device.stream() as stream, device.device_buffer(4) as buffer, device.host_buffer(4) as host:
        host.array[...] = 1
        stream.fill(buffer.pointer, 7, 4)
        stream.download(host.array, buffer.pointer)
        assert not set(host.array) & {1, 7}
        stream.synchronize()
        assert set(host.array) == {7}


def test_a_source_changed_before_the_wait_arrives_changed(device: Device) -> None:
    with device.stream() as stream, device.device_buffer(4) as buffer, device.host_buffer(4) as host:
        host.array[...] = 1
        stream.upload(buffer.pointer, host.array)
        host.array[...] = 2
        stream.download(host.array, buffer.pointer)
        stream.synchronize()
        assert set(host.array) != {1}


def test_an_event_waits_for_the_work_before_it_only(device: Device) -> None:
    stream, buffer, host = device.stream(), device.device_buffer(4), device.host_buffer(4)
    before, after = device.event(), device.event()
    stream.record(before)
    stream.fill(buffer.pointer, 7, 4)
    stream.download(host.array, buffer.pointer)
    stream.record(after)
    before.synchronize()
    assert set(host.array) != {7}
    after.synchronize()
    assert set(host.array) == {7}
    assert after.ns_since(before) > 0


def test_mapped_memory_is_the_same_on_both_sides(device: Device) -> None:
    with device.stream() as stream, device.host_buffer(4, mapped=True) as shared, device.host_buffer(4) as pinned:
        assert pinned.pointer == 0
        stream.fill(shared.pointer, 9, 4)
        stream.synchronize()
        assert set(shared.array) == {9}


def test_what_kernels_read_of_mapped_memory_is_counted(tmp_path: Path) -> None:
    source = 'extern "C" __global__ void copy(const unsigned char* from, unsigned char* to, int count) { }'
    gpu = FakeGpu({"copy": lambda memory, grid, block, arguments: None})
    with Device(gpu, tmp_path) as device, device.current(), device.stream() as stream:
        copy = device.function(source, "copy.cu", "copy")
        with device.host_buffer(64, mapped=True) as host, device.device_buffer(64) as there:
            for start, end, read in ((there, host, 0), (host, there, 64), (there, there, 64)):
                pointers = np.uint64(start.pointer), np.uint64(end.pointer)
                stream.launch(copy, Launch("copy", "copy", (1, 1, 1), (1, 1, 1), 0, (*pointers, np.int32(64))))
                stream.synchronize()
                assert gpu.modules.mapped_reads == read


def test_rows_are_copied_by_their_pitch(device: Device) -> None:
    with device.stream() as stream, device.host_buffer(12, True) as source, device.host_buffer(6, True) as target:
        source.array[...] = np.arange(12)
        stream.copy_rows(target.pointer, 2, source.pointer, 4, 2, 3)
        stream.synchronize()
        np.testing.assert_array_equal(target.array, [0, 1, 4, 5, 8, 9])


def test_captured_work_is_done_at_each_launch_and_not_before(device: Device) -> None:
    with device.stream() as stream, device.host_buffer(8, True) as buffer:
        function = device.function(SOURCE, "add.cu", "add")
        buffer.array[...] = 0
        graph = stream.capture(lambda: stream.launch(function, added(arguments(buffer.pointer))))
        stream.synchronize()
        assert set(buffer.array) == {0}
        with graph:
            stream.launch_graph(graph)
            stream.launch_graph(graph)
            stream.synchronize()
            assert set(buffer.array) == {6}


def use_after_free(device: Device) -> None:
    stream, buffer = device.stream(), device.device_buffer(8)
    buffer.close()
    stream.fill(buffer.pointer, 0, 8)


def freed_twice(device: Device) -> None:
    buffer = device.device_buffer(8)
    buffer.close()
    device._driver.device_free(buffer.pointer)


def freed_under_work(device: Device) -> None:
    stream, buffer = device.stream(), device.device_buffer(8)
    stream.fill(buffer.pointer, 0, 8)
    buffer.close()


def mapped_memory_freed_under_work(device: Device) -> None:
    stream, buffer = device.stream(), device.host_buffer(8, mapped=True)
    stream.fill(buffer.pointer, 0, 8)
    buffer.close()


def out_of_bounds(device: Device) -> None:
    device.stream().fill(device.device_buffer(8).pointer + 4, 0, 8)


def upload_out_of_bounds(device: Device) -> None:
    device.stream().upload(device.device_buffer(8).pointer, device.host_buffer(9).array)


def pageable_memory(device: Device) -> None:
    device.stream().upload(device.device_buffer(8).pointer, np.zeros(8, np.uint8))


def not_contiguous(device: Device) -> None:
    device.stream().upload(device.device_buffer(8).pointer, device.host_buffer(16).array[::2])


def default_stream(device: Device) -> None:
    device._driver.fill(device.device_buffer(8).pointer, 0, 8, 0)


def closed_stream(device: Device) -> None:
    stream, buffer = device.stream(), device.device_buffer(8)
    stream.close()
    stream.fill(buffer.pointer, 0, 8)


def overlapping_rows(device: Device) -> None:
    pointer = device.device_buffer(64).pointer
    device.stream().copy_rows(pointer, 4, pointer + 32, 8, 8, 2)


def unreached_events(device: Device) -> None:
    device.event().ns_since(device.event())


def too_few_arguments(device: Device) -> None:
    launch(device, arguments(device.device_buffer(8).pointer)[:2])


def wrong_type(device: Device) -> None:
    pointer = device.device_buffer(8).pointer
    launch(device, (np.uint64(pointer), np.int64(8), np.float32(3)))


def wild_pointer(device: Device) -> None:
    launch(device, arguments(12345))


def too_many_threads(device: Device) -> None:
    pointer = device.device_buffer(8).pointer
    device.stream().launch(device.function(SOURCE, "add.cu", "add"), added(arguments(pointer), (32, 32, 2)))


def launch(device: Device, given: tuple[Any, ...]) -> None:
    device.stream().launch(device.function(SOURCE, "add.cu", "add"), added(given))


def default_stream_joined(device: Device) -> None:
    device.stream().join(0)


def something_left(device: Device) -> None:
    device.device_buffer(8)
    device.close()


def another_thread(device: Device) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            device.stream()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    raise caught[0]


def after_the_end(device: Device) -> None:
    device.close()
    device.stream()


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (use_after_free, "not allocated"),
        (freed_twice, "freed twice"),
        (freed_under_work, "freed while fill is queued"),
        (mapped_memory_freed_under_work, "freed while fill is queued"),
        (out_of_bounds, "4 are allocated"),
        (upload_out_of_bounds, "8 are allocated"),
        (pageable_memory, "not allocated"),
        (not_contiguous, "not contiguous"),
        (default_stream, "default stream"),
        (closed_stream, "no stream that lives"),
        (overlapping_rows, "overlap"),
        (unreached_events, "not reached"),
        (too_few_arguments, "add takes"),
        (wrong_type, "int64"),
        (wild_pointer, "not allocated"),
        (too_many_threads, "blocks of"),
        (default_stream_joined, "legacy one is 1"),
        (something_left, "left at the end: memory"),
        (another_thread, "not current"),
        (after_the_end, "context was given back"),
    ],
)
def test_misuse_is_refused(device: Device, misuse: Callable[[Device], None], message: str) -> None:
    with pytest.raises(CudaMisuseError, match=message):
        misuse(device)


@pytest.mark.parametrize("wait", ["synchronize", "allocate"])
def test_a_capture_breaks_where_a_real_one_does(device: Device, wait: str) -> None:
    stream = device.stream()

    def work() -> None:
        if wait == "synchronize":
            stream.synchronize()
        else:
            device.device_buffer(8)

    with pytest.raises(MachineError, match="CAPTURE_UNSUPPORTED"):
        stream.capture(work)
    stream.synchronize()  # and the stream can be used again


def test_work_of_another_thread_must_not_slip_into_a_graph(device: Device) -> None:
    stream, buffer = device.stream(), device.device_buffer(8)
    caught: list[BaseException] = []

    def intruder() -> None:
        try:
            with device.current():
                stream.fill(buffer.pointer, 0, 8)
        except BaseException as error:
            caught.append(error)

    def work() -> None:
        thread = threading.Thread(target=intruder)
        thread.start()
        thread.join()

    stream.capture(work).close()
    assert "another thread" in str(caught[0])


def test_the_nth_call_fails_and_the_next_does_not(tmp_path: Path) -> None:
    gpu = FakeGpu(fail_at=3)
    device = Device(gpu, tmp_path)
    with device.current(), device.stream() as stream:
        with pytest.raises(DeviceError, match="device_alloc"):
            device.device_buffer(8)
        assert gpu.failed == "device_alloc"
        with device.device_buffer(8) as buffer:
            stream.fill(buffer.pointer, 0, 8)
            stream.synchronize()
    device.close()


def test_sticky_failures_stay(tmp_path: Path) -> None:
    gpu = FakeGpu(fail_at=3, sticky=True)
    with Device(gpu, tmp_path).current():
        made = Device(gpu, tmp_path).stream()
        for _ in range(2):
            with pytest.raises(DeviceError):
                made.synchronize()
        with pytest.raises(DeviceError):
            made.close()
    assert gpu.leftovers == []


def test_memory_runs_out(tmp_path: Path) -> None:
    device = Device(FakeGpu(total_bytes=100), tmp_path)
    with device.current(), device.device_buffer(60):
        assert device.free_bytes() == 40
        with pytest.raises(MachineError, match="no memory left"):
            device.device_buffer(41)


def test_what_is_left_may_be_asked_while_other_threads_make_and_give_back(gpu: FakeGpu) -> None:
    done = threading.Event()

    def make_and_give_back() -> None:
        gpu.enter()
        while not done.is_set():
            gpu.event_destroy(gpu.event_create())
            gpu.calls.clear()
        gpu.leave()

    gpu.enter()
    kept = [gpu.event_create() for _ in range(1000)]
    often = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    other = threading.Thread(target=make_and_give_back)
    other.start()
    try:
        assert all(len(gpu.leftovers) in (1000, 1001) for _ in range(800))
    finally:
        done.set()
        other.join()
        sys.setswitchinterval(often)
    for event in kept:
        gpu.event_destroy(event)
    gpu.leave()
    gpu.close()
