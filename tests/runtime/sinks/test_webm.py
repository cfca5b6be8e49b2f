"""Videos in WebM, which takes no H.264."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.errors import MachineError, MissingExtraError, UsageError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink, prepare_sink
from fcn_edge.runtime.sources import open_source

av = pytest.importorskip("av")

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=12.5)
SECONDS = [0.0, 0.04, 0.5, 0.51, 2.0]


@pytest.mark.parametrize("live", [False, True])
def test_is_vp9_with_the_sources_times(tmp_path: Path, make_result: MakeResult, live: bool) -> None:
    path = tmp_path / "out.webm"
    with open_sink(str(path), dataclasses.replace(CONTEXT, live=live)) as sink:
        for index, seconds in enumerate(SECONDS):
            result = make_result(index)
            frame = dataclasses.replace(result.frame, time=seconds, captured_ns=round(seconds * 1e9))
            while live and sink._backlog.full:  # type: ignore[attr-defined] # it would leave the frame out
                time.sleep(0.001)
            sink.write(dataclasses.replace(result, frame=frame))
    assert sink.wrote == (path,)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "vp9"
    with open_source(path) as source:
        frames = list(source)
    assert [frame.time for frame in frames] == pytest.approx(SECONDS, abs=2e-3)
    expected = make_result(4).segmentation.overlay(0.5)
    assert np.abs(frames[4].image[10:-10, 40:].astype(int) - expected[10:-10, 40:]).mean() < 6


def test_takes_no_encoder_of_h264(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in VP9, which libx264 does not make"):
        open_sink(f"{tmp_path}/out.webm#encoder=libx264", CONTEXT)
    assert list(tmp_path.iterdir()) == []


def test_without_what_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"libx264"})
    with pytest.raises(MachineError, match="without libvpx"):
        open_sink(f"{tmp_path}/out.webm", CONTEXT)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match="Writing WebM needs the Python package av"):
        open_sink(f"{tmp_path}/out.webm", CONTEXT)


def test_tries_no_encoder_of_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(*_: object) -> None:
        raise AssertionError("it has no use for it")

    monkeypatch.setattr("fcn_edge.runtime.sinks.encoders.choice.chosen", tried)
    prepare_sink("out.webm", SinkContext(Overlays()))
