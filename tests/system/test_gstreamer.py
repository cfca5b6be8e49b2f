from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fcn_edge.system import gstreamer_probe, probes
from fcn_edge.system.gstreamer import (
    APT,
    SYSTEM_PYTHON,
    WATCHED,
    WATCHED_ON_BOARDS,
    GStreamerFacts,
    package_of,
    read_gstreamer,
)

from ..doctor.trees import GSTREAMER, ON_BOARDS, gstreamer_has, has, written

PYTHON = {"usr/bin/python3": ""}


def read(root: Path, *elements: str, on_board: bool = False) -> GStreamerFacts:
    return read_gstreamer(root, gstreamer_has(*elements), has(), on_board)


def test_a_machine_with_everything(tmp_path: Path) -> None:
    found = read(written(tmp_path, PYTHON), *GSTREAMER, "other")
    assert found == GStreamerFacts(True, "1.20.3", (), False, False)
    assert found.packages == ()


def test_what_is_missing_names_its_packages(tmp_path: Path) -> None:
    found = read(written(tmp_path, PYTHON), "appsink", "videoconvert", "h264parse", on_board=True)
    assert found.missing == ("rtspsrc", "avdec_h264", *WATCHED_ON_BOARDS)
    assert found.packages == ("gstreamer1.0-plugins-good", "gstreamer1.0-libav", "nvidia-l4t-gstreamer")


def test_boards_are_asked_for_their_own_elements(tmp_path: Path) -> None:
    found = read(written(tmp_path, PYTHON), *GSTREAMER, "nvvidconv", on_board=True)
    assert found.missing == ("nvv4l2decoder", "nvarguscamerasrc")
    assert read(tmp_path, *GSTREAMER, *ON_BOARDS, on_board=True).missing == ()


@pytest.mark.parametrize("told", ["", "Segmentation fault"])
def test_a_python_without_the_binding(tmp_path: Path, told: str) -> None:
    found = read_gstreamer(written(tmp_path, PYTHON), lambda: told, has(), on_board=False)
    assert (found.python, found.version, found.missing, found.packages) == (True, "", WATCHED, APT)


def test_a_system_without_python_is_not_asked(tmp_path: Path) -> None:
    def unasked() -> str:
        raise AssertionError("there is nothing to ask")

    found = read_gstreamer(tmp_path, unasked, has(), on_board=False)
    assert (found.python, found.version, found.packages) == (False, "", APT)


@pytest.mark.parametrize(
    ("modules", "nvgpu"),
    [
        ("", False),
        ("nvgpu 2678784 24 - Live 0x0\nzram 1 0 - Live 0x0\n", True),
        ("xnvgpu 1 0\nnvmap 1 1 nvgpu\n", False),
    ],
)
def test_the_modules_of_the_kernel(tmp_path: Path, modules: str, nvgpu: bool) -> None:
    root = written(tmp_path, {"proc/modules": modules})
    found = read_gstreamer(root, lambda: "", has("lsmod"), on_board=True)
    assert (found.lsmod, found.nvgpu) == (True, nvgpu)


def test_every_watched_element_has_a_package() -> None:
    assert all(package_of(element) for element in (*WATCHED, *WATCHED_ON_BOARDS))
    assert package_of("no-such-element") == ""


def test_a_python_without_the_binding_says_nothing() -> None:
    """This very Python: a virtual environment has no ``gi``."""
    program = Path(gstreamer_probe.__file__)
    asked = subprocess.run([sys.executable, "-I", program], capture_output=True, text=True, check=True)
    assert asked.stdout == "" or json.loads(asked.stdout)["version"]


def test_a_python_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "SYSTEM_PYTHON", "/no/such/python3")
    assert probes.gstreamer() == ""


@pytest.mark.system
def test_this_machine() -> None:
    if subprocess.run([SYSTEM_PYTHON, "-c", "import gi"], capture_output=True, check=False).returncode:
        pytest.skip("needs python3-gi")
    told = json.loads(probes.gstreamer())
    assert told["version"].startswith("1.")
    assert {"appsink", "videotestsrc"} <= set(told["elements"])
