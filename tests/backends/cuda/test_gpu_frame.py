"""Frames in a GPU's memory where a frame of the host could stand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Timing
from fcn_edge.backends.cuda import arrays
from fcn_edge.backends.cuda.arrays import GpuFrame, device_frame, on_device
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.frame_buffer import FrameBuffer, host_frame
from fcn_edge.errors import FrameError, MachineError
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources.base import Connection, EndOfSource, Picture
from fcn_edge.testing.engine import FakeEngine, FakeSession, fake_spec
from fcn_edge.testing.gpu import FakeGpu

from .gpu import KERNELS
from .rig import SIZE, Held, Rig, frame, on_the_host
from .test_arrays import Both, Interface, InterfaceOnly, OnGpu


class Shared(FakeGpu):
    """A GPU that several owners close: what others hold of it is not theirs to miss."""

    opened = 0

    def close(self) -> None:
        self.opened -= 1


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shared:
    """The GPU from which frames are downloaded."""
    made = Shared(KERNELS)

    def open_device(index: int) -> Device:
        assert index == 0
        made.opened += 1
        return Device(made, tmp_path)

    monkeypatch.setattr(arrays, "open_device", open_device)
    return made


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(("stream", "version", "joined"), [(None, 3, None), (77, 3, 77), (None, 2, 1)])
def test_a_frame_comes_to_the_host_once_and_only_when_asked_for(
    gpu: Shared, padding: int, stream: int | None, version: int, joined: int | None
) -> None:
    made = GpuFrame(Held(gpu, frame(), stream, padding, version))
    assert (made.shape, made.dtype, made.device) == ((60, 100, 3), np.uint8, 0)
    assert gpu.calls == []
    pixels = made.host()
    np.testing.assert_array_equal(pixels, frame())
    assert pixels.flags.c_contiguous
    assert [call for call in gpu.calls if call[0] == "stream_join"] == ([("stream_join", joined)] if joined else [])
    assert made.host() is pixels
    assert (gpu.opened, gpu.leftovers) == (0, [])


def test_it_keeps_its_owner_alive(gpu: Shared) -> None:
    held = Held(gpu, frame())
    owner, made = weakref.ref(held), GpuFrame(held)
    del held
    gc.collect()
    assert owner() is not None
    np.testing.assert_array_equal(made.host(), frame())
    del made
    gc.collect()
    assert owner() is None


def test_it_offers_what_its_array_offers() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    plain, both = GpuFrame(Interface()), GpuFrame(Both(image))
    assert on_device(plain)
    assert plain.__cuda_array_interface__["data"] == (0x1000, False)
    assert not hasattr(plain, "__dlpack__")
    assert not hasattr(plain, "whatever")
    assert both.__dlpack_device__() == (2, 0)
    view = device_frame(both, 0x55)
    assert (view.pointer, both.array.streams) == (image.ctypes.data, [-1, 0x55])


def test_it_knows_its_gpu() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert GpuFrame(OnGpu(image, (2, 3))).device == 3
    assert GpuFrame(InterfaceOnly((2, 1)), device=2).device == 1
    assert GpuFrame(Interface(), device=2).device == 2
    with pytest.raises(FrameError, match="lies on GPU 3; the network runs on GPU 1") as caught:
        device_frame(GpuFrame(OnGpu(image, (2, 3))), 0x55, 1)
    assert caught.value.fix == "Copy it to GPU 1 first."


@pytest.mark.parametrize("array", [np.zeros((4, 6, 3), np.uint8), None, OnGpu(np.zeros((4, 6, 3), np.uint8), (1, 0))])
def test_what_is_not_on_a_gpu_is_no_such_frame(array: Any) -> None:
    with pytest.raises(FrameError, match="array on the GPU"):
        GpuFrame(array)


def test_a_failing_copy_leaves_nothing_behind(gpu: Shared) -> None:
    GpuFrame(Held(gpu, frame())).host()
    total = len(gpu.calls)
    for number in range(1, total + 1):
        failing = Shared(KERNELS, fail_at=number)
        gpu.calls.clear()
        made = GpuFrame(Held(failing, frame()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrays, "open_device", lambda index, one=failing: Device(one))
            with suppress(MachineError):
                made.host()
        assert failing.failed
        assert failing.leftovers == []


def test_a_session_on_the_processor_downloads_it(gpu: Shared) -> None:
    with FakeSession(fake_spec(), SIZE) as session:
        np.testing.assert_array_equal(session.labels(GpuFrame(Held(gpu, frame()))), on_the_host(frame()))


@pytest.mark.parametrize("preprocess_on", ["device", "host"])
def test_a_session_on_the_gpu_takes_it_there(rig: Callable[..., Rig], preprocess_on: str) -> None:
    made = rig(preprocess_on=preprocess_on)
    with made.session as session:
        held = GpuFrame(Held(made.gpu, frame()))
        made.calls()
        np.testing.assert_array_equal(session.labels(held), on_the_host(frame()))
        assert not [call for call in made.calls() if call[0] == "upload"]


class Elsewhere(FrameBuffer):
    """A frame in memory that CUDA knows nothing of."""

    device = 0

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._image = image
        self.shape = (image.shape[0], image.shape[1], 3)

    def host(self) -> NDArray[np.uint8]:
        return self._image


def test_a_frame_of_other_memory_is_taken_through_the_host(rig: Callable[..., Rig]) -> None:
    with rig().session as session:
        np.testing.assert_array_equal(session.labels(Elsewhere(frame())), on_the_host(frame()))
    with pytest.raises(FrameError):
        FakeSession(fake_spec(), SIZE).labels(Elsewhere(np.zeros((4, 6, 4), np.uint8)))


def test_frames_of_the_host_are_themselves() -> None:
    image = frame()
    assert host_frame(image) is image
    assert host_frame(Elsewhere(image)) is image


def test_a_segmentation_downloads_the_frame_for_its_overlay(gpu: Shared) -> None:
    labels = on_the_host(frame())
    there = Segmentation(GpuFrame(Held(gpu, frame())), labels, fake_spec(), Timing())
    assert gpu.calls == []
    here = Segmentation(frame(), labels, fake_spec(), Timing())
    np.testing.assert_array_equal(there.overlay(), here.overlay())
    np.testing.assert_array_equal(there.frame, frame())
    downloads = [call for call in gpu.calls if call[0] == "download"]
    assert len(downloads) == 1


def test_a_segmenter_takes_arrays_on_the_gpu_whatever_runs_the_network(gpu: Shared) -> None:
    with Segmenter(FakeEngine(fake_spec(), SIZE)) as segment:
        result = segment(Held(gpu, frame()))  # type: ignore[arg-type]
    assert isinstance(result.image, GpuFrame)
    np.testing.assert_array_equal(result.labels, on_the_host(frame()))
    np.testing.assert_array_equal(result.frame, frame())


class Grabbed(Connection):
    """A source whose frames are on the GPU, as a decoder there leaves them."""

    def __init__(self, gpu: FakeGpu, count: int) -> None:
        super().__init__("gpu:")
        self._pictures = [Picture(GpuFrame(Held(gpu, frame(seed=seed))), str(seed)) for seed in range(count)]

    def _connect(self, timeout: float | None) -> None:
        pass

    def _next(self, timeout: float) -> Picture | None:
        if not self._pictures:
            raise EndOfSource
        return self._pictures.pop(0)


def test_a_pipeline_carries_them_from_source_to_result(rig: Callable[..., Rig]) -> None:
    made = rig()
    with Pipeline.of_one(made.session, Grabbed(made.gpu, 6)) as pipeline:
        names = []
        for seed, result in enumerate(pipeline):
            names.append(result.frame.name)
            assert isinstance(result.frame.image, GpuFrame)
            assert result.segmentation.image is result.frame.image
            np.testing.assert_array_equal(result.segmentation.labels, on_the_host(frame(seed=seed)))
    assert names == ["0", "1", "2", "3", "4", "5"]
