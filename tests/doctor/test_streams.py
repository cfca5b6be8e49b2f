from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.doctor import all_checks, streams
from fcn_edge.doctor.check import Check
from fcn_edge.runtime.sinks.encoders.base import EncoderError
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder

from . import trees
from .trees import GSTREAMER, ON_BOARDS, facts, gstreamer_has, has, written

PYTHON = {"usr/bin/python3": ""}
NVGPU = {"proc/modules": "nvgpu 2678784 24 - Live 0x0\n"}
GROUPS = {"etc/group": "video:x:44:\nrender:x:104:\n"}


def engine_of(root: Path, *elements: str, **answers: Any) -> Check | None:
    found = facts(root, gstreamer=gstreamer_has(*GSTREAMER, *elements), **answers)
    assert found.jetson is not None
    return streams.video_engine(found.jetson, found)


def test_gstreamer(tmp_path: Path) -> None:
    check = streams.gstreamer(facts(written(tmp_path, PYTHON), gstreamer=gstreamer_has(*GSTREAMER)))
    assert (check.ok, check.found, check.fix) == (True, "1.20.3 with the plugins base, good, bad and libav", "")


def test_gstreamer_without_plugins(tmp_path: Path) -> None:
    check = streams.gstreamer(facts(written(tmp_path, PYTHON), gstreamer=gstreamer_has("appsink", "videoconvert")))
    assert (check.ok, check.required) == (False, False)
    assert check.found == "1.20.3, without rtspsrc, h264parse, avdec_h264"
    assert check.fix == ("sudo apt-get install gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav")


@pytest.mark.parametrize(("files", "says"), [(PYTHON, "has no binding"), ({}, "no /usr/bin/python3")])
def test_no_gstreamer(tmp_path: Path, files: dict[str, str], says: str) -> None:
    check = streams.gstreamer(facts(written(tmp_path, files)))
    assert not check.ok
    assert says in check.found
    assert check.fix.startswith("sudo apt-get install python3-gi gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-base")


def test_the_video_engine_of_a_board(tmp_path: Path) -> None:
    root = written(trees.jetpack_62(tmp_path), PYTHON | NVGPU)
    check = engine_of(root, *ON_BOARDS, which=has("lsmod"))
    assert check is not None
    assert (check.ok, check.found) == (True, "nvvidconv, nvv4l2decoder, nvarguscamerasrc; lsmod lists nvgpu")


def test_a_board_without_nvidias_plugins(tmp_path: Path) -> None:
    root = written(trees.jetpack_62(tmp_path), PYTHON | NVGPU)
    check = engine_of(root, "nvvidconv", which=has("lsmod"))
    assert check is not None
    assert (check.ok, check.found) == (False, "GStreamer has no nvv4l2decoder, nvarguscamerasrc")
    assert check.fix == "sudo apt-get install nvidia-l4t-gstreamer nvidia-l4t-camera"
    check = engine_of(written(root, {".dockerenv": ""}), "nvvidconv", which=has("lsmod"))
    assert check is not None
    assert check.fix == "docker run --runtime nvidia ..."


def test_a_container_without_lsmod(tmp_path: Path) -> None:
    root = written(trees.jetpack_62(tmp_path), PYTHON | NVGPU | {".dockerenv": ""})
    check = engine_of(root, *ON_BOARDS)
    assert check is not None
    assert not check.ok
    assert "without the program lsmod" in check.found
    assert "apt-get install kmod" in check.fix


@pytest.mark.parametrize(("tree", "ok"), [(trees.jetpack_62, False), (trees.jetpack_71, True)])
def test_a_board_whose_kernel_has_no_nvgpu(tmp_path: Path, tree: Any, ok: bool) -> None:
    check = engine_of(written(tree(tmp_path), PYTHON), *ON_BOARDS, which=has("lsmod"))
    assert check is not None
    assert check.ok == ok, "a Thor has another module"
    assert "nvgpu" in check.found


def test_a_board_without_gstreamer_hears_of_that_alone(tmp_path: Path) -> None:
    root = trees.jetpack_62(tmp_path)
    names = [check.name for check in all_checks(facts(root))]
    assert "GStreamer" in names
    assert "video engine" not in names


@pytest.mark.parametrize(
    ("files", "identity", "ok", "says"),
    [
        ({}, (1000, {1000}), None, ""),
        ({"dev/video0": ""}, (1000, {1000}), False, "usermod -aG video "),
        ({"dev/video0": ""}, (1000, {1000, 44}), True, "video"),
        ({"dev/video0": ""}, (0, {0}), None, ""),
        (trees.release(36, "4.3"), (1000, {1000}), False, "usermod -aG video,render "),
        (trees.release(36, "4.3"), (1000, {44}), False, "usermod -aG render "),
        (trees.release(36, "4.3"), (1000, {44, 104}), True, "video, render"),
        (trees.release(36, "4.3") | {".dockerenv": ""}, (1000, {44}), True, "video"),
        (trees.release(36, "4.3") | {".dockerenv": ""}, (1000, {1000}), False, "docker run --group-add video "),
    ],
)
def test_groups(
    tmp_path: Path, files: dict[str, str], identity: tuple[int, set[int]], ok: bool | None, says: str
) -> None:
    root = written(tmp_path, GROUPS | files)
    check = streams.groups(facts(root, identity=lambda: (identity[0], frozenset(identity[1]))))
    assert (check and check.ok) == ok
    assert check is None or says in check.found + check.fix


def test_pyav_is_looked_for(tmp_path: Path) -> None:
    def check(**installed: str) -> Check:
        return {one.name: one for one in all_checks(facts(tmp_path, installed=installed))}["for network cameras"]

    assert check().fix == "pip install 'fcn_edge[streams]'"
    assert (check(av="18.1.0").ok, check(av="18.1.0").found) == (True, "av 18.1.0")


@pytest.mark.parametrize(
    ("choice", "hardware", "ok", "says"),
    [
        (None, False, False, "MPEG-4"),
        (Choice("nvv4l2h264enc", Libx264Encoder), True, True, "nvv4l2h264enc, this machine's own"),
        (Choice("libx264", Libx264Encoder), False, True, "libx264, on the processor, for H.264"),
        (Choice("libx264", Libx264Encoder), True, True, "H.264. v4l2h264enc is broken."),
    ],
)
def test_the_encoder_of_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: Choice | None, hardware: bool, ok: bool, says: str
) -> None:
    monkeypatch.setattr(streams, "chosen", lambda: choice)
    monkeypatch.setattr(streams, "may_have_encoder", lambda: hardware)
    monkeypatch.setattr(streams, "problem_of", lambda name: EncoderError(f"{name} is broken."))
    check = streams.encoder(facts(tmp_path))
    assert (check.ok, check.required, bool(check.fix)) == (ok, False, not ok)
    assert says in check.found


def test_a_jetson_without_an_encoder_hears_of_nvidias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "chosen", lambda: Choice("libx264", Libx264Encoder))
    monkeypatch.setattr(streams, "may_have_encoder", lambda: True)
    monkeypatch.setattr(streams, "problem_of", lambda name: EncoderError(f"{name} is broken."))
    assert streams.encoder(facts(trees.jetpack_62(tmp_path))).found.endswith(". nvv4l2h264enc is broken.")
