"""What the pages for maintainers say of the seams: their code runs, as it stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.base import Timing
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.testing.engine import brightness_scores, fake_spec

from .documents import ROOT, python_of


def names_of(page: str) -> dict[str, Any]:
    """The names that a page's code defines."""
    names: dict[str, Any] = {"__name__": page}
    for code in python_of(ROOT / "docs/extend" / f"{page}.md"):
        exec(code, names)
    return names


def test_a_backend_s_session() -> None:
    session_class = names_of("backend")["MySession"]
    spec = fake_spec()
    with session_class(Path("net.onnx"), brightness_scores(spec), spec, spec.size) as session:
        labels = session.labels(np.full((*spec.size, 3), 255, np.uint8))
    assert labels.shape == spec.size
    assert (labels == len(spec.classes) - 1).all(), "white is the brightest class"


def test_an_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from fcn_edge.nets import encoders
    from fcn_edge.nets.fcn import FCN

    monkeypatch.setattr(encoders, "ENCODERS", dict(encoders.ENCODERS))
    names_of("encoder")
    scores = FCN("plain", ["fcn8s"], 5)(torch.zeros(1, 3, 64, 96))
    assert scores["fcn8s"].shape == (1, 5, 8, 12)


def test_a_source() -> None:
    with names_of("source")["GrayConnection"]("gray://") as connection:
        connection.connect()
        assert (connection.size, connection.fps, connection.length) == ((48, 64), 25.0, 3)
        frames = list(connection)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert all((frame.image == 128).all() for frame in frames)
    assert connection.state == "ended"


def test_a_sink(tmp_path: Path) -> None:
    spec = fake_spec()
    image = np.zeros((4, 4, 3), np.uint8)
    labels = np.zeros((4, 4), np.uint8)
    labels[:2] = spec.classes.index("road")
    result = Result(Frame(image, 7, 0, "000007"), Segmentation(image, labels, spec, Timing()), 0)
    sink = names_of("sink")["CsvSink"](tmp_path / "shares.csv", "road")
    with sink:
        sink.write(result)
    sink.close()
    assert (tmp_path / "shares.csv").read_text(encoding="utf-8") == "7,0.5\n"
