"""Where there is no H.264 encoder."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.runtime.sinks.recording import _say_that_it_is_mpeg4
from fcn_edge.runtime.sources import open_source

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=12.5)


@pytest.fixture(autouse=True)
def without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    _say_that_it_is_mpeg4.cache_clear()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_back(path: Path) -> list[Any]:
    with open_source(path) as source:
        return [frame.image for frame in source]


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
def test_holds_the_overlays(tmp_path: Path, make_result: MakeResult, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with open_sink(str(path), CONTEXT) as sink:
        for index in range(10):
            sink.write(make_result(index))
        assert not path.exists()
    with open_source(path) as source:
        assert source.fps == pytest.approx(12.5)
    images = read_back(path)
    assert len(images) == 29, "4 frames a second at 12.5"
    expected = make_result(9).segmentation.overlay(0.5)
    assert np.abs(images[-1][10:-10, 40:].astype(int) - expected[10:-10, 40:]).mean() < 6
    assert names_in(tmp_path) == [path.name]


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path, make_result: MakeResult) -> None:
    """OpenCV's binding would end the process."""
    sink = open_sink(os.fsdecode(os.fsencode(tmp_path) + b"/o\xfe.mp4"), CONTEXT)
    sink.write(make_result(0))
    with pytest.raises(UsageError, match=r"o\\xfe.mp4 is not UTF-8"):
        sink.close()
    assert names_in(tmp_path) == []


def test_keeps_the_times_of_a_variable_rate(tmp_path: Path, make_result: MakeResult) -> None:
    """Its rate is one; frames are shown again, or left out, so that each comes when it did in the source."""
    results = [make_result(index) for index in (0, 5, 10, 15, 20)]
    seconds = [0.0, 0.08, 0.16, 0.4, 0.8]  # at 12.5 a second: slots 0, 1, 2, 5, 10
    path = tmp_path / "out.avi"
    with open_sink(str(path), CONTEXT) as sink:
        for result, time in zip(results, seconds, strict=True):
            sink.write(dataclasses.replace(result, frame=dataclasses.replace(result.frame, time=time)))
    grays = [image[:, 40:].mean() for image in read_back(path)]
    expected = [result.segmentation.overlay(0.5)[:, 40:].mean() for result in results]
    shown = [0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4]
    assert grays == pytest.approx([expected[index] for index in shown], abs=6)


def test_is_said_once_with_what_brings_h264(
    tmp_path: Path, make_result: MakeResult, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fcn_edge"):
        for name in ("one.mp4", "two.mp4"):
            with open_sink(str(tmp_path / name), CONTEXT) as sink:
                sink.write(make_result())
    (said,) = caplog.messages
    assert "pip install 'fcn_edge[streams]'" in said


def test_is_not_said_with_pyav(
    tmp_path: Path, make_result: MakeResult, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with caplog.at_level(logging.WARNING, "fcn_edge"), open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        sink.write(make_result())
    assert not caplog.messages


def test_is_what_a_pyav_without_x264_writes(
    tmp_path: Path, make_result: MakeResult, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("av.codecs_available", {"mpeg4"})
    with caplog.at_level(logging.WARNING, "fcn_edge"), open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
        sink.write(make_result())
    assert len(caplog.messages) == 1
    assert len(read_back(tmp_path / "out.mp4")) == 1


def test_replaces_an_older_one_only_when_it_is_whole(tmp_path: Path, make_result: MakeResult) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("older")
    with open_sink(str(path), CONTEXT) as sink:
        sink.write(make_result())
        assert path.read_text() == "older"
    assert len(read_back(path)) == 1


def test_segments_work_too(tmp_path: Path, make_result: MakeResult) -> None:
    context = dataclasses.replace(CONTEXT, segment=1.0, keep=1 << 20)
    with open_sink(str(tmp_path / "out.mp4"), context) as sink:
        for index in range(10):  # four a second
            sink.write(make_result(index))
    assert names_in(tmp_path) == [f"out-00000{number}.mp4" for number in range(3)]
    assert [len(read_back(path)) for path in sink.wrote] == [10, 10, 4]


def test_stops_before_the_disk_is_full_and_keeps_what_it_has(
    tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([1 << 30])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=next(free, 1000)))
    sink = open_sink(str(tmp_path / "out.mp4"), CONTEXT)
    sink.write(make_result(0))
    sink.write(make_result(1))
    with pytest.raises(MachineError, match=r"out\.mp4 is full"):
        sink.close()
    assert len(read_back(tmp_path / "out.mp4")) == 1


def test_what_cannot_be_read_back_is_not_left(
    tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_sink(str(tmp_path / "out.mp4"), CONTEXT)
    sink.write(make_result())
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: SimpleNamespace(isOpened=lambda: False))
    with pytest.raises(MachineError, match="full"):
        sink.close()
    assert names_in(tmp_path) == []


def test_what_opencv_cannot_write(tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoWriter", lambda *_: SimpleNamespace(isOpened=lambda: False))
    monkeypatch.setattr(cv2, "VideoWriter_fourcc", lambda *_: 0, raising=False)
    sink = open_sink(str(tmp_path / "out.mp4"), CONTEXT)
    with pytest.raises(MachineError, match="cannot write"), sink:
        sink.write(make_result())
    assert names_in(tmp_path) == []
