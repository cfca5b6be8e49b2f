"""Frames that lie on the GPU and masks that stay there."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from fcn_edge.errors import ModelError, UsageError

from .rig import Held, Rig, frame, on_the_host


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
@pytest.mark.parametrize(("stream", "version", "joined"), [(None, 3, None), (77, 3, 77), (None, 2, 1)])
def test_frames_on_the_gpu_are_taken(
    rig: Callable[..., Rig], integrated: bool, stream: int | None, version: int, joined: int | None
) -> None:
    made = rig(integrated=integrated)
    with made.session as session:
        for seed in range(2):
            held = Held(made.gpu, frame(seed=seed), stream, version=version)
            made.calls()
            job = session.preprocess(held)
            calls = made.calls(
                "device_alloc", "host_alloc", "event_create", "device_free", "host_free", "event_destroy"
            )
            join = [("stream_join", joined)] if joined else []
            assert calls == [*join, ("copy_rows", 300, 60), ("event_record",), ("event_synchronize",)]
            del held  # it is the caller's again
            session.infer(job)
            work = made.calls()
            assert not [call for call in work if call[0] == "upload"]
            np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame(seed=seed)))
            del job


def test_a_contiguous_frame_is_one_copy_of_bytes(rig: Callable[..., Rig]) -> None:
    made = rig()
    with made.session as session:
        for padding, copy in ((0, ("copy_rows", 60 * 300, 1)), (5, ("copy_rows", 300, 60))):
            held = Held(made.gpu, frame(), padding=padding)
            made.calls()
            job = session.preprocess(held)
            assert [call for call in made.calls() if call[0] == "copy_rows"] == [copy]
            np.testing.assert_array_equal(session.postprocess(session.infer(job)), on_the_host(frame()))


@pytest.mark.parametrize("graphs", [True, False], ids=["graph", "no graph"])
def test_the_host_waits_once_for_a_frame(rig: Callable[..., Rig], graphs: bool) -> None:
    made = rig(graphs=graphs)
    with made.session as session:

        def waits(given: object, **how: bool) -> tuple[int, ...]:
            """In each step of a frame."""
            counts = [made.gpu.host_waits]
            job = session.preprocess(given, **how)
            counts.append(made.gpu.host_waits)
            session.infer(job)
            counts.append(made.gpu.host_waits)
            np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame()))
            return (*np.diff([*counts, made.gpu.host_waits]).tolist(),)

        for _ in range(2):
            assert waits(frame()) == (0, 0, 1)
            assert waits(Held(made.gpu, frame())) == (1, 0, 1)
            assert waits(Held(made.gpu, frame()), wait=False) == (0, 0, 1)


def test_a_frame_that_nobody_waits_for_is_kept_until_it_is_copied(rig: Callable[..., Rig]) -> None:
    made = rig()
    with made.session as session:
        held = Held(made.gpu, frame())
        owner = weakref.ref(held)
        job = session.infer(session.preprocess(held, wait=False))
        del held
        gc.collect()
        assert owner() is not None
        np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame()))
        gc.collect()
        assert owner() is None


def test_a_stream_that_joined_may_write_into_its_frame(rig: Callable[..., Rig]) -> None:
    """And one that did not spoils it, as on a GPU."""
    made = rig()
    with made.session as session, made.engine._device.current():
        theirs = made.gpu.stream_create()
        for joins in (True, False):
            held = Held(made.gpu, frame())
            job = session.infer(session.preprocess(held, wait=False))
            if joins:
                made.gpu.stream_join(theirs, session.inbound)
            pointer = held.__cuda_array_interface__["data"][0]
            made.gpu.fill(pointer, 0, 305 * 60, theirs)
            made.gpu.stream_synchronize(theirs)
            expected = frame() if joins else np.zeros_like(frame())
            np.testing.assert_array_equal(session.postprocess(job), on_the_host(expected))
        made.gpu.stream_destroy(theirs)


def test_a_frame_that_is_given_up_before_it_is_copied_leaves_its_memory_to_others(rig: Callable[..., Rig]) -> None:
    made = rig()
    with made.session as session:
        session.preprocess(Held(made.gpu, frame()), wait=False)  # and never inferred
        for seed in range(1, 6):
            job = session.preprocess(Held(made.gpu, frame(seed=seed)), wait=False)
            np.testing.assert_array_equal(session.postprocess(session.infer(job)), on_the_host(frame(seed=seed)))
        session.preprocess(Held(made.gpu, frame()), wait=False)
        session.infer(session.preprocess(Held(made.gpu, frame()), wait=False))
    made.engine.close()
    assert made.gpu.leftovers == []


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
def test_masks_stay_on_the_gpu(rig: Callable[..., Rig], integrated: bool) -> None:
    made = rig(integrated=integrated)
    with made.session as session:
        masks = [
            session.postprocess(session.infer(session.preprocess(frame(seed=seed))), device=True) for seed in range(3)
        ]
        for seed, mask in enumerate(masks):
            interface = mask.__cuda_array_interface__
            assert (interface["shape"], interface["typestr"], interface["version"]) == ((60, 100), "|u1", 3)
            (pointer, read_only), (pitch, step) = interface["data"], interface["strides"]
            assert (read_only, step, mask.shape) == (False, 1, (60, 100))
            there = made.gpu.memory.view(pointer, np.uint8, (60, pitch))[:, :100]
            np.testing.assert_array_equal(there, on_the_host(frame(seed=seed)))
        del masks, mask
        made.calls()
        session.labels(frame())
        assert not [call for call in made.calls() if call[0].endswith("alloc")]


def test_masks_of_labels_do_not_stay_on_the_gpu(rig: Callable[..., Rig]) -> None:
    made = rig(spec={"head": "labels"}, output=lambda image: image[..., 0] % 11)
    with made.session as session:
        job = session.infer(session.preprocess(frame()))
        with pytest.raises(UsageError, match="ends in labels"):
            session.postprocess(job, device=True)
        assert session.postprocess(job).max() < 11


def test_labels_of_no_class_are_refused(rig: Callable[..., Rig]) -> None:
    made = rig(spec={"head": "labels"}, output=lambda image: image[..., 0] % 12)
    with made.session as session, pytest.raises(ModelError, match="gave an id of 11 as labels; uint8 ids of its 11"):
        session.labels(frame())
