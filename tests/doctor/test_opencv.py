from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from fcn_edge.doctor import opencv
from fcn_edge.errors import MachineError
from fcn_edge.system.facts import MachineFacts, read_facts

from .trees import facts, opencv_built_with, written


def unloadable() -> ModuleType:
    raise MachineError("OpenCV is installed and cannot be loaded: libGL.so.1.", "apt-get install libgl1")


def built_with(root: Path, build: str, **packages: str) -> MachineFacts:
    installed = {name.replace("_", "-"): version for name, version in packages.items()}
    return facts(root, installed=installed, opencv=opencv_built_with(build))


def test_opencv(tmp_path: Path) -> None:
    check = opencv.opencv(built_with(tmp_path, "", opencv_python_headless="4.8"))
    assert (check.ok, check.found) == (True, "4.8.0 (opencv-python-headless)")


def test_opencv_that_does_not_load(tmp_path: Path) -> None:
    check = opencv.opencv(facts(tmp_path, installed={"opencv-python": "4.8"}, opencv=unloadable))
    assert not check.ok
    assert check.fix == "apt-get install libgl1"


def test_two_opencvs_overwrite_each_other(tmp_path: Path) -> None:
    check = opencv.opencv(built_with(tmp_path, "", opencv_python="4.8", opencv_python_headless="4.9"))
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
def test_video(tmp_path: Path, ffmpeg: str, gstreamer: str, ok: bool) -> None:
    check = opencv.video(built_with(tmp_path, BUILD.format(ffmpeg=ffmpeg, gstreamer=gstreamer)))
    assert check.ok == ok
    assert ("with FFMPEG" in check.found) == (ffmpeg == "YES")
    assert ("with GStreamer" in check.found) == gstreamer.startswith("YES")
    assert "with v4l/v4l2" in check.found
    assert bool(check.fix) == (not ok)


def test_video_without_opencv(tmp_path: Path) -> None:
    check = opencv.video(facts(tmp_path, opencv=unloadable))
    assert (check.ok, check.found) == (False, "OpenCV does not load")


def test_the_real_build_information_is_understood() -> None:
    assert "with FFMPEG" in opencv.video(read_facts()).found


CSI = {"sys/class/video4linux/video0/name": "vi-output, imx219 9-0010\n"}
USB = {"sys/class/video4linux/video0/name": "HD Pro Webcam C920\n"}


@pytest.mark.parametrize(
    ("files", "gstreamer", "ok"), [(CSI, "YES (1.20)", None), (CSI, "NO", False), (USB, "NO", True), ({}, "NO", True)]
)
def test_gstreamer_on_a_jetson(tmp_path: Path, files: dict[str, str], gstreamer: str, ok: bool | None) -> None:
    check = opencv.gstreamer(built_with(written(tmp_path, files), BUILD.format(ffmpeg="YES", gstreamer=gstreamer)))
    assert (check and check.ok) == ok
    if ok is False:
        assert check is not None
        assert "CSI camera video0" in check.found
        assert "--system-site-packages" in check.fix


def test_gstreamer_without_opencv(tmp_path: Path) -> None:
    assert opencv.gstreamer(facts(written(tmp_path, CSI), opencv=unloadable)) is None
