from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fcn_edge.artifacts import models
from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.engine_manifest import read_manifest
from fcn_edge.artifacts.engine_manifest import write_manifest as write_engine_manifest
from fcn_edge.artifacts.models import manifest_for, resolved_model, write_manifest
from fcn_edge.artifacts.onnx_header import SPEC_KEY, model_digest
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.artifacts.spec import Provenance
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.cli.main import main
from fcn_edge.testing.engine import fake_spec


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def printed(*arguments: Any) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    content: dict[str, Any] = json.loads(done.stdout)
    return content


@pytest.fixture
def shipped(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "zoo" / "shipped"
    directory.mkdir(parents=True)
    shutil.copyfile(tiny.path, directory / "model.onnx")
    accuracy = AccuracyRecord(
        dataset="camvid",
        split="val",
        images=101,
        size=(64, 96),
        miou=0.712,
        pixel_accuracy=0.934,
        mean_accuracy=0.8,
        fw_iou=0.88,
        per_class={"sky": 0.9},
    )
    manifest = manifest_for(
        resolved_model(directory / "model.onnx"), {"camvid/val": accuracy}, terms="Research use only."
    )
    write_manifest(directory / "manifest.json", manifest)
    monkeypatch.setattr(models, "ZOO", tmp_path / "zoo")
    return directory


@pytest.fixture(scope="session")
def engine(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("engine") / "e"
    build_engine(tiny.path, BuildRequest(backend="onnxruntime", size=(96, 128)), output=directory)
    return directory


def test_onnx_file(tiny: Any) -> None:
    content = printed(tiny.path)
    assert content["path"] == str(tiny.path)
    assert content["kind"] == "onnx"
    assert content["spec"] == json.loads(tiny.spec.to_json())
    assert content["digest"] == model_digest(tiny.path)
    assert content["parameters"] > tiny.weight.size
    assert content["bytes"] == tiny.path.stat().st_size
    assert content["opset"] == 20
    assert content["operators"]["Conv"] == 1
    assert "manifest" not in content
    text = run(tiny.path).stdout
    for part in ("tiny-0", "ONNX model, fake-fcn8s", "64x96", "scores at stride 8", "11: sky, building", "Conv 1"):
        assert part in text


def test_engine(engine: Path, tiny: Any) -> None:
    content = printed(engine)
    assert content["path"] == str(engine / "model.onnx")  # what a backend opens
    assert content["kind"] == "engine"
    assert content["size"] == [96, 128]
    assert content["digest"] == model_digest(tiny.path)
    assert content["manifest"]["backend"] == "onnxruntime"
    assert content["manifest"]["speed"]["end_to_end_ms"] > 0
    text = run(engine).stdout
    for part in ("96x128", "onnxruntime", "built for", "ms per frame", "rendered street"):
        assert part in text


@pytest.fixture
def changed(engine: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the engine, with some attributes of its manifest changed."""

    def change(**attributes: Any) -> Path:
        copy = shutil.copytree(engine, tmp_path / "engine")
        write_engine_manifest(copy, read_manifest(copy).model_copy(update=attributes))
        return Path(copy)

    return change


def test_engine_of_a_board_tells_what_was_switched_on(changed: Callable[..., Path]) -> None:
    agx = DeviceInfo("cuda", "Orin", "8.7", "NVIDIA Jetson AGX Orin Developer Kit", 16, "MAXN")
    engine = changed(device=agx)
    assert "NVIDIA Jetson AGX Orin Developer Kit (cuda, 8.7, 16 SM, power mode MAXN)" in run(engine).stdout
    assert printed(engine)["manifest"]["device"] == asdict(agx)


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({}, "INT8 share  91.2% of the multiplications"),
        ({"unknown_convolutions": 0}, "INT8 share  91.2% of the multiplications"),
        ({"unknown_convolutions": 2}, "INT8 share  at least 91.2% of the multiplications"),
        ({"int8_share_of": "the graph: nobody tells"}, "INT8 share  in the graph 91.2% of the multiplications"),
    ],
)
def test_int8_share_says_what_it_is_of(changed: Callable[..., Path], notes: dict[str, Any], said: str) -> None:
    text = run(changed(int8_share=0.912, notes=notes)).stdout
    assert said in re.sub(r"INT8 share +", "INT8 share  ", text)


@pytest.mark.usefixtures("shipped")
def test_shipped_model_has_its_manifest() -> None:
    content = printed("shipped")
    assert content["kind"] == "onnx"
    assert content["manifest"]["accuracy"]["camvid/val"]["miou"] == 0.712
    text = run("shipped").stdout
    assert "mIoU 71.2%, pixel accuracy 93.4% on camvid val (101 images) at 64x96" in text
    assert "Research use only." in text


def test_damaged_shipped_model_ends_with_3(shipped: Path) -> None:
    path = shipped / "manifest.json"
    path.write_text(path.read_text().replace("0.712", "0.812"))
    done = run("shipped", "--json")
    assert done.exit_code == 3
    assert "does not match the digest" in json.loads(done.stdout)["error"]


def test_checkpoint(tmp_path: Path) -> None:
    safetensors_numpy = pytest.importorskip("safetensors.numpy")
    origin = Provenance(trained_on=("camvid/train",), recipe=("32s: 30 epochs", "16s: 16 epochs"))
    spec = fake_spec(name="mine", provenance=origin)
    path = tmp_path / "net.safetensors"
    tensors = {"w": np.zeros((1000, 100), np.float32)}
    safetensors_numpy.save_file(tensors, path, metadata={SPEC_KEY: spec.to_json()})
    content = printed(path)
    assert (content["kind"], content["path"], content["parameters"]) == ("checkpoint", str(path), 100_000)
    assert content["tensors"] == {"F32": 1}
    text = run(path).stdout
    for part in ("checkpoint, fake-fcn8s", "0.10 million weights", "camvid/train", "32s: 30 epochs", "16s: 16 epochs"):
        assert part in text


def test_provenance_is_told(tmp_path: Path, tiny_network: Any) -> None:
    origin = Provenance(checkpoint_sha256="a" * 64, tools={"torch": "2.13"})
    spec = fake_spec(provenance=origin, head="labels")
    network = tiny_network(tmp_path / "m.onnx", head="labels", metadata={SPEC_KEY: spec.to_json()})
    text = run(network.path).stdout
    for part in ("SHA-256 " + "a" * 64, "torch 2.13", "labels at full size"):
        assert part in text


@pytest.mark.parametrize("name", ["nothing", "nothing.onnx", "nothing.safetensors"])
def test_missing_artifact_ends_with_3(tmp_path: Path, name: str) -> None:
    done = run(tmp_path / name, "--json")
    assert done.exit_code == 3
    assert "There is no" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("name", ["m.onnx", "m.safetensors"])
def test_damaged_file_ends_with_3(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"junk" * 10)
    done = run(tmp_path / name)
    assert done.exit_code == 3
    assert "Traceback" not in done.output


def test_onnx_file_of_somebody_else_ends_with_3(tmp_path: Path, tiny_network: Any) -> None:
    network = tiny_network(tmp_path / "m.onnx", metadata={})
    done = run(network.path)
    assert done.exit_code == 3
    assert "is a trained network (another program's ONNX file), not yet a model" in done.stderr


def test_what_the_dla_could_take(tiny: Any, engine: Path) -> None:
    told = printed(tiny.path, "--dla")["dla"]
    assert (told["rules"], told["size"], told["pieces"], told["macs_share"]) == ("TensorRT 10.3", [64, 96], 2, 1.0)
    assert {layer["operator"]: layer["taken"] for layer in told["layers"]} == {
        "Cast": False,
        "Transpose": False,
        "Unsqueeze": False,
        "Sub": True,
        "Div": False,
        "Conv": True,
    }
    assert any("Orin Nano has no DLA" in release for release in told["releases"])
    assert "dla" not in printed(tiny.path)
    text = run(tiny.path, "--dla").stdout
    for part in (
        "nothing is built for it",
        "2 of 7 layers with 100.0% of the multiplications",
        "Div normal: TensorRT 10",
    ):
        assert part in text
    assert printed(engine, "--dla")["dla"]["size"] == [96, 128], "an ONNX engine has its own size"


def test_the_dla_needs_a_graph(tmp_path: Path) -> None:
    safetensors_numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "net.safetensors"
    tensors = {"w": np.zeros((2, 2), np.float32)}
    safetensors_numpy.save_file(tensors, path, metadata={SPEC_KEY: fake_spec().to_json()})
    done = run(path, "--dla", "--json")
    assert done.exit_code == 2
    assert "holds no ONNX graph" in json.loads(done.stdout)["error"]


def test_help_shows_an_example() -> None:
    assert "Example: fcn-edge inspect" in run("--help").stdout
