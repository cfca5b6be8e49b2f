"""Frames that lie on the GPU and masks that stay there."""

from __future__ import annotations

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
            assert calls == [*join, ("copy_rows", 300, 60), ("stream_synchronize",)]
            del held  # it is the caller's again
            session.infer(job)
            work = made.calls()
            assert not [call for call in work if call[0] == "upload"]
            np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame(seed=seed)))
            del job


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
