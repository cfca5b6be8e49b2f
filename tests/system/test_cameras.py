from __future__ import annotations

import os
from pathlib import Path

import pytest

from fcn_edge.system.cameras import CameraFacts, read_cameras

from ..doctor.trees import written

NAMES = "sys/class/video4linux"


def test_cameras_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = {"dev/video10": "", "dev/video2": "", "dev/videobuf": "", f"{NAMES}/video2/name": "Front\n"}
    assert read_cameras(written(tmp_path, files)) == (
        CameraFacts("/dev/video2", "Front", True, True),
        CameraFacts("/dev/video10", "", True, True),
    )


def test_a_camera_that_the_system_knows_and_shows_no_device_for(tmp_path: Path) -> None:
    (camera,) = read_cameras(written(tmp_path, {f"{NAMES}/video0/name": "vi-output, imx219 9-0010\n"}))
    assert camera == CameraFacts("/dev/video0", "vi-output, imx219 9-0010", False, False)
    assert camera.is_csi


def test_a_camera_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (camera,) = read_cameras(written(tmp_path, {"dev/video0": ""}))
    assert camera.exists
    assert not camera.may_open
    assert not camera.is_csi
