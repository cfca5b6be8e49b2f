"""Ultralytics' own files: what their metadata say, and the letterbox."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest

from fcn_edge.artifacts.calibration_table import write_table
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import Normalization, Resize
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.datasets.plain_images import image_files, images_of
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.onnx_facts import label_set
from fcn_edge.export.importers.registry import trained_network
from fcn_edge.export.onnx import onnx_from_checkpoint
from fcn_edge.quantization.calibrate import calibration_table
from fcn_edge.runtime.segmenter import load

from .foreign_exports import parity_at
from .foreign_forms import small_yolo
from .foreign_graphs import CLASSES, OPEN, save

NOTHING_SAID = ImportOptions()


def test_its_metadata_say_what_it_is(tmp_path: Path) -> None:
    found = trained_network(save(small_yolo(), tmp_path / "theirs.onnx"), NOTHING_SAID)
    spec = found.spec
    assert (spec.name, spec.family, spec.arch) == ("yolo26n-sem", "ultralytics", "yolo26n-sem")
    assert (spec.size, spec.stride, spec.geometry.align) == ((64, 96), 8, "edges")
    assert spec.classes == tuple(f"thing {index}" for index in range(CLASSES))
    assert spec.normalization == Normalization(color_order="rgb", mean=(0, 0, 0), std=(255, 255, 255))
    assert spec.resize == Resize(policy="pad", anchor="center", fill=(114, 114, 114))
    result = parity_at(found, tmp_path / "ours.onnx", (64, 96))
    assert result.label_agreement >= 0.999
    assert result.max_abs_diff <= 1e-3 * result.score_range
    assert len(result.classes) >= 5
    nodes = onnx.load(tmp_path / "ours.onnx").graph.node
    assert {"Sub", "Resize", "ArgMax"}.isdisjoint(node.op_type for node in nodes)
    assert {"model.0.conv", "model.1.conv", "backbone.0"} <= {node.name for node in nodes}


def test_an_open_file_takes_multiples_of_its_stride(tmp_path: Path) -> None:
    found = trained_network(save(small_yolo(OPEN), tmp_path / "theirs.onnx"), NOTHING_SAID)
    assert found.spec.geometry.size_multiple == 32
    for size in ((64, 96), (96, 160)):
        assert parity_at(found, tmp_path / "ours.onnx", size).label_agreement >= 0.999


def test_a_size_that_is_no_multiple_names_the_nearest(tmp_path: Path) -> None:
    theirs = save(small_yolo(OPEN), tmp_path / "theirs.onnx")
    with pytest.raises(UsageError, match=r"The size 1080x1920 is not a multiple of 32 .* nearest is 1088x1920"):
        trained_network(theirs, ImportOptions(size=(1080, 1920)))


def test_names_of_a_known_label_set_bring_its_colors(tmp_path: Path) -> None:
    names = {index: name.upper() for index, name in enumerate(LABEL_SETS["cityscapes"].classes[:CLASSES])}
    found = trained_network(save(small_yolo(names=str(names)), tmp_path / "theirs.onnx"), NOTHING_SAID)
    assert found.spec.classes == tuple(names.values())
    same = LABEL_SETS["cityscapes"]
    assert label_set("yolo", same.classes, (same,)).palette == same.palette


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"task": "detect"}, "for the task detect; semantic segmentation was expected"),
        ({"task": "se\x1bgment"}, r"for the task se\\x1bgment"),
        ({"names": "__import__('os').system('touch /tmp/x')"}, "names in it makes no sense"),
        ({"names": "{" * 5000}, "names in it makes no sense"),
        ({"names": "(" * 60000}, "names in it makes no sense"),
        ({"names": "{1: 'a', 2: 'b'}"}, "names in it makes no sense"),
        ({"names": "{'a': 'a', 2: 'b'}"}, "names in it makes no sense"),
        ({"stride": "0"}, "stride in it makes no sense"),
        ({"stride": "True"}, "stride in it makes no sense"),
        ({"imgsz": "[64]"}, "imgsz in it makes no sense"),
        ({"imgsz": "[64, 1e99]"}, "imgsz in it makes no sense"),
    ],
)
def test_metadata_that_make_no_sense(said: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        trained_network(save(small_yolo(**said), tmp_path / "theirs.onnx"), NOTHING_SAID)
    assert "yolo export" in caught.value.fix


PROGRAM = Path(__file__).parents[2] / "yolo_semantic.py"


@pytest.fixture(scope="module")
def ultralytics() -> str:
    """The interpreter that has Ultralytics, which is no package of this environment."""
    interpreter = os.environ.get("FCN_EDGE_ULTRALYTICS_PYTHON", "")
    if not interpreter:
        pytest.skip("FCN_EDGE_ULTRALYTICS_PYTHON names no interpreter with Ultralytics")
    return interpreter


@pytest.fixture(scope="module")
def trained(ultralytics: str, camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of Ultralytics that was trained for some minutes, exported."""
    folder = tmp_path_factory.mktemp("trained")
    run(ultralytics, "trained", folder, 512, 1024, "--split", camvid / "train", "--steps", 160)
    onnx_from_checkpoint(folder / "yolo26n-sem.onnx", folder / "ours.onnx")
    return folder / "ours.onnx"


def run(interpreter: str, *arguments: object) -> None:
    subprocess.run(
        [interpreter, str(PROGRAM), *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )


@pytest.mark.slow
@pytest.mark.parametrize(("size", "dynamic"), [((512, 1024), False), ((256, 480), False), ((512, 1024), True)], ids=str)
def test_yolo26_of_ultralytics_own_exporter(
    size: tuple[int, int], dynamic: bool, ultralytics: str, camvid: Path, tmp_path: Path
) -> None:
    images = camvid / "val" / "images"
    run(ultralytics, "random", tmp_path, *size, "--images", images, *(["--dynamic"] if dynamic else []))
    frames = [image for image, _ in zip(images_of(image_files(images)), range(4), strict=False)]
    export = onnx_from_checkpoint(tmp_path / "yolo26n-sem.onnx", tmp_path / "ours.onnx", images=frames)
    assert export.parity.label_agreement >= 0.999
    assert export.parity.max_abs_diff <= 1e-3 * export.parity.score_range
    assert len(export.parity.classes) >= 5
    assert export.spec.size == size
    # letterboxed, and not scaled: its predict enlarges masks by nearest neighbor, and ours are sampled from scores
    parts = [cv2.resize(frame, (size[1] - 65, size[0])) for frame in frames]
    np.save(tmp_path / "frames.npy", np.stack(parts))
    run(ultralytics, "predict", tmp_path, *size)
    masks: Any = np.load(tmp_path / "masks.npy")
    # of a file that takes any size, its predict takes the smallest multiple of the stride
    taken = (size[0], size[1] - 64) if dynamic else size
    with load(tmp_path / "ours.onnx", size=taken, backend="onnxruntime") as segmenter:
        for frame, mask in zip(parts, masks, strict=True):
            assert np.mean(segmenter(frame).labels == mask) >= 0.999
    assert json.loads(resolved_model(tmp_path / "ours.onnx").spec.to_json())["resize"]["anchor"] == "center"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_yolo26_in_int8(backend: str, trained: Path, camvid: Path, tmp_path: Path) -> None:
    """Of a network that was trained a little: noise in random weights of this depth decides over most pixels."""
    pytest.importorskip(backend)
    model = resolved_model(trained)
    table = calibration_table(model, calibration_set(camvid / "train", model.spec.classes, 32))
    write_table(tmp_path / "table.json", table)
    request = BuildRequest(backend, "int8", calibration=tmp_path / "table.json", guard=False)
    build_engine(trained, request, output=tmp_path / "engine")
    shares = []
    with load(trained, backend="onnxruntime") as whole, load(tmp_path / "engine") as engine:
        for frame, _ in zip(images_of(image_files(camvid / "val" / "images")), range(8), strict=False):
            shares.append(np.mean(whole(frame).labels == engine(frame).labels))
    assert np.mean(shares) >= 0.97
