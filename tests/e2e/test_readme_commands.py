"""Every command of the README, run in its order; boards, cameras and screens are stand-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner

from fcn_edge.cli.main import main

from .documents import README, commands_of, python_of
from .standins import network_camera, plug_in_board, plug_in_camera, plug_in_screen
from .workspace import QUICK, write_workspace

CAMERA = "/dev/video0"
NETWORK_CAMERA = "rtsp://192.168.1.20/stream1"
PAGE = "http://:8080"


@pytest.fixture(autouse=True)
def _has_a_backend() -> None:
    pytest.importorskip("onnxruntime", reason="nothing runs without a backend")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the commands read."""
    write_workspace(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def needs_board(words: tuple[str, ...]) -> bool:
    return any("tensorrt" in word for word in words) or "engines/street" in words


def run(words: tuple[str, ...]) -> Any:
    result = CliRunner().invoke(main, [*words, *QUICK.get(words[0], "").split()])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, f"fcn-edge {' '.join(words)}\n{result.stdout}{result.stderr}"
    return result


def train_a_short_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    from fcn_edge.nets.encoders import ENCODERS

    from ..thin_encoders import ShortMobileNetV2

    monkeypatch.setitem(ENCODERS, "mobilenet_v2", ShortMobileNetV2)


@pytest.mark.usefixtures("quick_builds")
def test_the_commands_can_be_followed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="training and exporting need torch")
    pytest.importorskip("onnx", reason="calibrating needs onnx")
    pytest.importorskip("av", reason="network cameras need PyAV")
    for package in ("starlette", "uvicorn", "websockets", "prometheus_client"):
        pytest.importorskip(package, reason="the live page needs it")
    train_a_short_encoder(monkeypatch)
    device = workspace / "video0"
    device.touch()
    plug_in_camera(monkeypatch, str(device), cv2.imread("frame.png"))
    shown = plug_in_screen(monkeypatch)
    ran = []
    with network_camera(cv2.imencode(".jpg", cv2.imread("frame.png"))[1].tobytes()) as address:
        # another program may have the page's port
        here = {CAMERA: f"v4l2://{device}", NETWORK_CAMERA: address, PAGE: "http://:0"}
        for words in commands_of(README):
            with pytest.MonkeyPatch.context() as board:
                if needs_board(words):
                    plug_in_board(board)
                # a window is closed by a key, and nobody closes a page
                ending = ("--frames", "3") if PAGE in words else ()
                run((*(here.get(word, word) for word in words), *ending))
            ran.append(words[0])
    assert len(ran) >= 13
    assert any(PAGE in words for words in commands_of(README))
    assert len(shown) >= 2, "a PC's camera and a Jetson's"
    assert Path("masks.mp4").stat().st_size > 0
    assert sorted(path.name for path in Path("masks").iterdir()) == ["0.png", "1.png"]
    assert sorted(path.parent.name for path in Path("engines").glob("*/engine.json")) == ["net", "street"]


def test_the_python_example_runs(workspace: Path) -> None:
    import fcn_edge

    (example,) = python_of(README)
    names: dict[str, Any] = {}
    exec(example, names)
    assert cv2.imread("overlay.png").shape == (120, 160, 3)
    with names["segment"] as segment:
        assert "fcn_edge.stream(segment," in README.read_text(encoding="utf-8")
        assert len(list(fcn_edge.stream(segment, "drive.mp4"))) == 5
