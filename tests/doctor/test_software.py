from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fcn_edge.backends.registry import BACKENDS
from fcn_edge.doctor import software
from fcn_edge.errors import MachineError
from fcn_edge.version import __version__


def versions(**found: str) -> Callable[[str], str | None]:
    return {name.replace("_", "-"): version for name, version in found.items()}.get


def loader(**attributes: Any) -> Callable[[], ModuleType]:
    return lambda: SimpleNamespace(**attributes)  # type: ignore[return-value]


def unloadable() -> ModuleType:
    raise MachineError("OpenCV is installed and cannot be loaded: libGL.so.1.", "apt-get install libgl1")


def test_this_installation() -> None:
    assert __version__ in software.python().found
    assert software.base(software.installed_version).ok
    assert software.installed_version("no-such-distribution") is None


def test_every_backend_is_asked() -> None:
    checks = software.backends()
    assert [check.name for check in checks] == [f"backend {name}" for name in BACKENDS]
    assert all(check.required for check in checks)
    assert all(check.ok or check.fix for check in checks)


def test_a_missing_base_package() -> None:
    check = software.base(versions(numpy="2.0"))
    assert not check.ok
    assert "numpy 2.0, pydantic is not installed" in check.found


def test_an_extra() -> None:
    check = software.extra("export", ("torch", "onnx"), "train and export", versions(torch="2.6", onnx="1.16"))
    assert (check.ok, check.found, check.fix) == (True, "torch 2.6, onnx 1.16", "")
    check = software.extra("export", ("torch", "onnx"), "train and export", versions(onnx="1.16"))
    assert (check.ok, check.found) == (False, "torch is not installed, onnx 1.16")
    assert check.fix == "pip install 'fcn_edge[export]'"
    assert not check.required


def test_opencv() -> None:
    found = versions(opencv_python_headless="4.8")
    check = software.opencv(found, loader(__version__="4.8.0"))
    assert (check.ok, check.found) == (True, "4.8.0 (opencv-python-headless)")


def test_opencv_that_does_not_load() -> None:
    check = software.opencv(versions(opencv_python="4.8"), unloadable)
    assert not check.ok
    assert check.fix == "apt-get install libgl1"
    assert software.opencv_build(unloadable) == ""


def test_two_opencvs_overwrite_each_other() -> None:
    found = versions(opencv_python="4.8", opencv_python_headless="4.9")
    check = software.opencv(found, loader(__version__="4.8.0"))
    assert not check.ok
    assert "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python" in check.fix


def test_rivals() -> None:
    assert software.rivals("onnxruntime", "onnxruntime-gpu", versions(onnxruntime="1.18")) is None
    check = software.rivals("onnxruntime", "onnxruntime-gpu", versions(onnxruntime="1.18", onnxruntime_gpu="1.18"))
    assert check is not None
    assert not check.ok
    assert "onnxruntime-gpu" in check.fix


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
    check = software.video(BUILD.format(ffmpeg=ffmpeg, gstreamer=gstreamer))
    assert check.ok == ok
    assert ("with FFMPEG" in check.found) == (ffmpeg == "YES")
    assert ("with GStreamer" in check.found) == gstreamer.startswith("YES")
    assert "with v4l/v4l2" in check.found
    assert bool(check.fix) == (not ok)


def test_video_without_opencv() -> None:
    check = software.video("")
    assert (check.ok, check.found) == (False, "OpenCV does not load")


def test_the_real_build_information_is_understood() -> None:
    build = software.opencv_build()
    assert "Video I/O" in build
    assert "FFMPEG" in software.video(build).found
