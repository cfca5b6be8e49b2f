from __future__ import annotations

import os
from pathlib import Path

import pytest

from fcn_edge.doctor import devices

from .trees import facts, opencv_built_with, written


def test_cameras_by_number_with_their_names(tmp_path: Path) -> None:
    files = {"dev/video0": "", "dev/video10": "", "dev/video2": "", "sys/class/video4linux/video2/name": "Front\n"}
    check = devices.cameras(facts(written(tmp_path, files)))
    assert check.ok
    assert check.found == "/dev/video0, /dev/video2 (Front), /dev/video10"


def test_no_camera(tmp_path: Path) -> None:
    check = devices.cameras(facts(tmp_path))
    assert not check.ok
    assert not check.required
    assert "synthetic://street" in check.fix


def test_a_camera_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = written(tmp_path, {"dev/video0": "", "dev/video1": ""})
    monkeypatch.setattr(os, "access", lambda path, mode: path.name == "video0")
    check = devices.cameras(facts(root))
    assert not check.ok
    assert check.found.endswith("/dev/video1 may not be opened")
    assert "usermod -aG video" in check.fix


@pytest.mark.parametrize(
    ("environ", "build", "ok", "says"),
    [
        ({}, "  GUI:    QT5\n", False, "ssh -X"),
        ({"DISPLAY": ":0"}, "  GUI:                           NONE\n", False, "pip install opencv-python"),
        ({"DISPLAY": ":0"}, "  GUI:    QT5\n", True, ":0"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ""}, "  GUI:    GTK3\n", True, "wayland-0"),
    ],
)
def test_display(tmp_path: Path, environ: dict[str, str], build: str, ok: bool, says: str) -> None:
    check = devices.display(facts(tmp_path, environ=environ, opencv=opencv_built_with(build)))
    assert check.ok == ok
    assert says in check.found + check.fix
