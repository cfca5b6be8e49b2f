from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from benchmarks.peers.__main__ import main
from benchmarks.peers.graphs import write_usual_graphs
from benchmarks.peers.outcome import bars, kept_shares, row_of
from benchmarks.peers.peer import StreamPeer
from benchmarks.peers.prepare import prepared_task
from benchmarks.peers.registry import PEERS, peer_class
from benchmarks.peers.rounds import Row
from benchmarks.peers.table import markdown
from benchmarks.peers.task import Task
from benchmarks.peers.worker import checked, same_pixels

SIZE, FRAME_SIZE = (64, 96), (90, 160)


@pytest.fixture(scope="module")
def task(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("peers")
    prepared_task(str(tiny.path), folder, SIZE, FRAME_SIZE)
    return Task.of(folder, None)


def test_the_usual_graph_has_the_networks_scores(tiny: Any, tmp_path: Path) -> None:
    import onnxruntime

    logits, labels = tmp_path / "logits.onnx", tmp_path / "labels.onnx"
    mean, scale = write_usual_graphs(tiny.path, SIZE, tiny.spec.stride, len(tiny.spec.classes), logits, labels)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    planes = ((image - np.array(mean)) / np.array(scale)).transpose(2, 0, 1)[None].astype(np.float32)
    given = []
    for path in (logits, labels):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        given.append(session.run(None, {session.get_inputs()[0].name: planes})[0])
    assert given[0].shape == (1, len(tiny.spec.classes), *SIZE)
    # four pixels meet in the middle of a cell: their mean is its score
    cells = given[0][0].reshape(-1, SIZE[0] // 8, 8, SIZE[1] // 8, 8)[:, :, 3:5, :, 3:5].mean(axis=(2, 4))
    inner = np.s_[:, 1:-1, 1:-1]
    np.testing.assert_allclose(cells[inner], _smoothed(tiny.scores(image))[inner], atol=1e-3)
    assert np.array_equal(given[1][0], given[0][0].argmax(axis=0))


def _smoothed(scores: np.ndarray) -> np.ndarray:
    """What bilinear upsampling by 8 gives as the mean of the four pixels around the middle of each cell."""
    near, far = 15 / 16, 1 / 16

    def along(values: np.ndarray, axis: int) -> np.ndarray:
        both = np.roll(values, 1, axis) + np.roll(values, -1, axis)
        return near * values + far / 2 * both

    return along(along(scores, 1), 2)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("ours-onnxruntime", "onnxruntime"),
        ("ours-onnxruntime-stream", "onnxruntime"),
        ("onnxruntime", "onnxruntime"),
        ("onnxruntime-argmax", "onnxruntime"),
        ("openvino", "openvino"),
        ("opencv-dnn", "cv2"),
        ("torch", "torch"),
        ("model-api", "model_api"),
        ("model-api-stream", "model_api"),
    ],
)
def test_all_ways_give_the_same_mask_at_the_networks_size(task: Task, name: str, package: str) -> None:
    pytest.importorskip(package)
    with closing(peer_class(name)(task)) as peer:
        shares = same_pixels(peer, task)
        assert shares["network"] > 0.9999
        # noise, as this network gives it, is nothing but class borders: they lie where they should, no more
        assert shares["frame"] > 0.7
        assert peer.threads >= 1
        times = peer.milliseconds(task.frames(), 3)
        assert len(times) == (1 if isinstance(peer, StreamPeer) else 3)
        assert all(time > 0 for time in times)


def test_every_peer_says_what_is_timed() -> None:
    for name in PEERS:
        about = peer_class(name).about()
        assert about["title"], name
        assert about["includes"], name
    assert len({peer_class(name).title for name in PEERS}) == len(PEERS)


def test_a_peer_that_cannot_run_says_why(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "calibration table" in checked(peer_class("ours-int8"), task)["absent"]
    kind = peer_class("onnxruntime")
    monkeypatch.setattr(kind, "packages", ("no-such-package", "onnxruntime"))
    about = checked(kind, task)
    assert about["absent"] == "no-such-package not installed"
    shown = markdown({"rows": [row_of(Row("onnxruntime", None, about))], "bars": [], "kept_of_network": []})
    assert "| ONNX Runtime, upsampling in the graph (`onnxruntime`) | no-such-package not installed |" in shown


@pytest.fixture
def row() -> Callable[..., Row]:
    def made(name: str, *round_ms: float, network: float = 1.0, **changes: Any) -> Row:
        kind = peer_class(name)
        about = kind.about() | changes | {"threads": 2}
        if kind.group in ("call", "stream"):
            about["same_pixels"] = {"frame": 0.99, "network": network}
        return Row(name, None, about, list(round_ms))

    return made


def test_bars_compare_the_best_of_equal_masks_within_rounds(row: Callable[..., Row]) -> None:
    rows = [
        row("ours-onnxruntime", 60, 62),
        row("ours-openvino", 50, 100),
        row("ours-int8", 20, 24, network=0.98),
        row("openvino", 66, 93),
        row("model-api", 80, 120),
        row("model-api-own", 30, 30, network=0.99),
        row("opencv-dnn", 10, 10, network=0.9),
        row("ours-onnxruntime-stream", 50, 50),
        row("model-api-stream", 60, 70),
        Row("torch", None, {**peer_class("torch").about(), "absent": "torch not installed"}),
    ]
    found = {bar["name"]: bar for bar in bars(rows)}
    peer = found["FP32 against the best peer"]
    assert (peer["ours"], peer["peer"], peer["times"], peer["range"]) == (
        "ours-onnxruntime",
        "openvino",
        1.3,
        [1.1, 1.5],
    )
    assert found["FP32 against the best complete toolkit"]["peer"] == "model-api"
    assert found["INT8 against the best FP32 peer"]["times"] == pytest.approx((66 / 20 + 93 / 24) / 2, abs=1e-3)
    assert all(bar["holds"] for bar in found.values() if "holds" in bar)
    assert found["FP32 pipeline against the best pipeline"]["times"] == 1.3
    slow = [row("ours-onnxruntime", 65), row("openvino", 66)]
    assert [bar["holds"] for bar in bars(slow)] == [False]
    assert bars([row("ours-onnxruntime", 65)]) == []


def test_what_is_left_of_a_networks_speed(row: Callable[..., Row]) -> None:
    rows = [
        row("ours-openvino", 50, 50),
        row("ours-openvino-network", 45, 48),
        row("yolo-predict", 100, 100),
        row("yolo-network", 90, 86),
    ]
    assert {kept["whole"]: kept["kept"] for kept in kept_shares(rows)} == {"yolo-predict": 0.88, "ours-openvino": 0.93}


@pytest.mark.system
def test_peers_are_timed_in_processes_of_their_own(tiny: Any, tmp_path: Path) -> None:
    output = tmp_path / "peers.json"
    names = [word for name in ("ours-onnxruntime", "onnxruntime-argmax", "model-api") for word in ("--only", name)]
    words = ["--model", str(tiny.path), "--size", "64x96", "--frame-size", "90x160", "--rounds", "2", "--frames", "2"]
    done = CliRunner().invoke(main, [*words, *names, "-o", str(output)])
    result = json.loads(output.read_text())
    assert done.exit_code == bool(result["failed"]), done.output
    assert result["machine"]["cpu"]["instruction_set"]
    ours, other, wrapper = result["rows"]
    for each in (ours, other):
        assert each["equal_masks"]
        assert len(each["round_ms"]) == 2
        assert each["median_ms"] > 0
    assert wrapper.get("equal_masks") or "openvino-model-api" in wrapper["absent"]
    assert result["bars"][0]["ours"] == "ours-onnxruntime"
    assert markdown(result) in done.output
