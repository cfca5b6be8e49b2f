from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fcn_edge.doctor import opencv
from fcn_edge.errors import MachineError

from .trees import written


def versions(**found: str) -> Callable[[str], str | None]:
    return {name.replace("_", "-"): version for name, version in found.items()}.get


def loader(**attributes: Any) -> Callable[[], ModuleType]:
    return lambda: SimpleNamespace(**attributes)  # type: ignore[return-value]


def unloadable() -> ModuleType:
    raise MachineError("OpenCV is installed and cannot be loaded: libGL.so.1.", "apt-get install libgl1")


def test_opencv() -> None:
    found = versions(opencv_python_headless="4.8")
    check = opencv.opencv(found, loader(__version__="4.8.0"))
    assert (check.ok, check.found) == (True, "4.8.0 (opencv-python-headless)")


def test_opencv_that_does_not_load() -> None:
    check = opencv.opencv(versions(opencv_python="4.8"), unloadable)
    assert not check.ok
    assert check.fix == "apt-get install libgl1"
    assert opencv.opencv_build(unloadable) == ""


def test_two_opencvs_overwrite_each_other() -> None:
    found = versions(opencv_python="4.8", opencv_python_headless="4.9")
    check = opencv.opencv(found, loader(__version__="4.8.0"))
    assert not check.ok
    assert "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python" in check.fix


BUILD = """
  Video I/O:
    FFMPEG:   {ffmpeg}
      avcodec:  YES
    GStreamer:   {gstreamer}
    v4l/v4l2:   YES (linux)
"""


@pytest.mark.parametrize(
    ("ffmpeg", "gstreamer", "ok"), [("YES", "NO", True), ("NO", "YES (1.20)", True), ("NO", "NO", False)]
)
def test_video(ffmpeg: str, gstreamer: str, ok: bool) -> None:
    check = opencv.video(BUILD.format(ffmpeg=ffmpeg, gstreamer=gstreamer))
    assert check.ok == ok
    assert ("with FFMPEG" in check.found) == (ffmpeg == "YES")
    assert ("with GStreamer" in check.found) == gstreamer.startswith("YES")
    assert "with v4l/v4l2" in check.found
    assert bool(check.fix) == (not ok)


def test_video_without_opencv() -> None:
    check = opencv.video("")
    assert (check.ok, check.found) == (False, "OpenCV does not load")


def test_the_real_build_information_is_understood() -> None:
    build = opencv.opencv_build()
    assert "Video I/O" in build
    assert "FFMPEG" in opencv.video(build).found


CSI = {"sys/class/video4linux/video0/name": "vi-output, imx219 9-0010\n"}
USB = {"sys/class/video4linux/video0/name": "HD Pro Webcam C920\n"}


@pytest.mark.parametrize(
    ("files", "gstreamer", "ok"), [(CSI, "YES (1.20)", None), (CSI, "NO", False), (USB, "NO", True), ({}, "NO", True)]
)
def test_gstreamer_on_a_jetson(tmp_path: Path, files: dict[str, str], gstreamer: str, ok: bool | None) -> None:
    check = opencv.gstreamer(written(tmp_path, files), BUILD.format(ffmpeg="YES", gstreamer=gstreamer))
    assert (check and check.ok) == ok
    if ok is False:
        assert check is not None
        assert "CSI camera video0" in check.found
        assert "--system-site-packages" in check.fix


def test_gstreamer_without_opencv(tmp_path: Path) -> None:
    assert opencv.gstreamer(written(tmp_path, CSI), "") is None
