from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.errors import MachineError
from fcn_edge.system.probes import installed_version
from fcn_edge.system.software import OpenCvFacts, read_software

from ..doctor.trees import opencv_built_with, probes, written

BUILD = """
  GUI:                           GTK3
    GTK+:                        YES (ver 3.24.33)
  Video I/O:
    FFMPEG:                      YES
    GStreamer:                   NO
    v4l/v4l2:                    YES (linux/videodev2.h)
"""


def test_versions_of_what_is_installed(tmp_path: Path) -> None:
    found = read_software(tmp_path, probes(installed={"numpy": "2.0"}))
    assert found.version("numpy") == "2.0"
    assert found.version("torch") is None
    with pytest.raises(KeyError, match="no-such"):
        found.version("no-such-distribution")


def test_this_python() -> None:
    assert installed_version("numpy")
    assert installed_version("no-such-distribution") is None


def test_an_opencv(tmp_path: Path) -> None:
    found = read_software(tmp_path, probes(opencv=opencv_built_with(BUILD, "4.10.0")))
    assert found.opencv == OpenCvFacts("4.10.0", ("FFMPEG", "v4l/v4l2"), "GTK3")


def test_an_opencv_that_does_not_load(tmp_path: Path) -> None:
    def unloadable() -> None:
        raise MachineError("It cannot be loaded.", "Install libgl1.")

    found = read_software(tmp_path, probes(opencv=unloadable))
    assert found.opencv == OpenCvFacts("", (), "", "It cannot be loaded.", "Install libgl1.")


def test_the_systems_pythons_with_tensorrt(tmp_path: Path) -> None:
    places = ("usr/lib/python3.10", "usr/local/lib/python3.12", "usr/lib/python3")
    root = written(tmp_path, {f"{place}/dist-packages/tensorrt/__init__.py": "" for place in places})
    found = read_software(root, probes())
    assert found.pythons_with_tensorrt == ("3", "3.10", "3.12")
    assert not found.sees_tensorrt
    assert read_software(root, probes(importable=lambda module: module == "tensorrt")).sees_tensorrt
