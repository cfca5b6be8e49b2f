"""Where the scores of the GPU check come from."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest


def test_frames_of_a_video_lie_apart(gpu_check: ModuleType, tmp_path: Path) -> None:
    video = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (96, 64))
    for level in range(100):
        writer.write(np.full((64, 96, 3), 2 * level, np.uint8))
    writer.release()
    frames, source = import_module("gpu.real_scores").frames_of(video, 3)
    assert source == "drive.avi"
    assert [frame.mean() for frame in frames] == pytest.approx([0, 60, 120], abs=4)  # JPEG rounds


def test_widened_scores_are_the_network_s_own_with_rare_classes(gpu_check: ModuleType) -> None:
    scores, drawn = import_module("gpu.real_scores"), import_module("gpu.pseudo_random")
    own = drawn.smooth((3, 11, 32, 64))
    wide = scores.widened(own, 19)
    assert (wide.shape, wide.dtype) == ((3, 19, 32, 64), np.float32)
    np.testing.assert_array_equal(wide[:, :11], own)
    assert 0 < (wide.argmax(axis=1) >= 11).mean() < 0.5
    assert 0 < scores.border_share(own) < scores.border_share(drawn.noise(own.shape))
    assert scores.border_share(np.zeros((1, 2, 4, 4), np.float32)) == 0
