from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from fcn_edge.doctor import opencv
from fcn_edge.errors import MachineError
from fcn_edge.system.facts import MachineFacts, read_facts

from .trees import facts, opencv_built_with


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
