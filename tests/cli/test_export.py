"""``fcn-edge export`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from fcn_edge.artifacts.onnx_header import model_digest, spec_of_onnx
from fcn_edge.artifacts.spec import Size
from fcn_edge.cli.main import main
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.street import Street

from ..exported_networks import random_net, spec_of


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def images_of_size(size: Size) -> list[NDArray[np.uint8]]:
    """Three rendered frames, always the same."""
    return [Street(seed=seed, size=size, frames=1).frame(0)[0] for seed in range(3)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    net = random_net("mobilenet_v2", ("fcn32s",), images_of_size((96, 160)))
    save_checkpoint(path, net, spec_of("mobilenet_v2", "fcn32s"))
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What the command wrote, and what it said."""
    directory = tmp_path_factory.mktemp("export")
    (directory / "images").mkdir()
    for index, image in enumerate(images_of_size((90, 150))):
        cv2.imwrite(str(directory / "images" / f"{index}.png"), image)
    output = directory / "net.onnx"
    options = ["--head", "labels", "--size", "64x96", "--weights", "fp16", "--resize", "stretch", "--name", "mine"]
    images = ["--images", directory / "images"]
    result = run(checkpoint, "-o", output, *options, *images, "--arch", "mobilenet_v2-fcn32s", "--json")
    assert result.exit_code == 0, result.output
    return output, json.loads(result.stdout)


def test_options_are_in_the_file(exported: tuple[Path, dict[str, Any]]) -> None:
    spec = spec_of_onnx(exported[0])
    assert (spec.name, spec.head, spec.size, spec.resize.policy) == ("mine", "labels", (64, 96), "stretch")
    assert exported[0].stat().st_size < 6e6


def test_json_says_how_well_both_agree(exported: tuple[Path, dict[str, Any]]) -> None:
    output, result = exported
    assert result["label_agreement"] >= 0.999
    assert 0 < result["max_abs_diff"] < 0.1
    assert result["classes_in_masks"] >= 5
    assert {key: result[key] for key in ("onnx", "arch", "images", "name", "size", "head", "weights")} == {
        "onnx": str(output),
        "arch": "mobilenet_v2-fcn32s",
        "images": 3,
        "name": "mine",
        "size": [64, 96],
        "head": "labels",
        "weights": "fp16",
    }
    assert result["bytes"] == output.stat().st_size
    assert result["digest"] == model_digest(output)


def test_people_read_both_numbers_and_a_warning_where_they_prove_nothing(
    tmp_path: Path, checkpoint: Path, exported: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fcn_edge.export import onnx as export_module
    from fcn_edge.export.parity import Parity

    path = exported[0]
    for classes, warned in (((1,), True), ((1, 4), False)):
        outcome = export_module.Export(path, spec_of_onnx(path), "digest", Parity(1.5e-6, 0.99987, 8, classes))
        monkeypatch.setattr(export_module, "onnx_from_checkpoint", lambda *_, outcome=outcome, **__: outcome)
        result = run(checkpoint, "-o", tmp_path / "net.onnx")
        assert result.exit_code == 0
        assert "1.5e-06" in result.stdout
        assert "99.9870%" in result.stdout
        assert f"{len(classes)} of 7" in result.stdout
        assert ("proves nothing" in result.stderr) is warned


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--arch", "vgg16-fcn8s"], 2, "not vgg16-fcn8s"),
        (["--decoder", "fcn8s"], 2, "not fcn8s"),
        (["--classes", "cityscapes"], 2, "cityscapes has 19 classes"),
        (["--classes", "nowhere"], 2, "neither a label set nor a file"),
        (["--resize", "crop"], 2, "no resize policy"),
        (["--resize", "roi=0.5,0,0.5,1"], 2, "top < bottom"),
        (["--resize", "roi=1,2"], 2, "no resize policy"),
        (["--images", "nowhere"], 3, "no directory of images"),
    ],
)
def test_bad_options_are_one_sentence(checkpoint: Path, tmp_path: Path, options, code: int, message: str) -> None:
    result = run(checkpoint, "-o", tmp_path / "net.onnx", *options, "--json")
    said = json.loads(result.stdout)
    assert (result.exit_code, said["exit_code"]) == (code, code)
    assert message in said["error"]
    assert said["fix"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(100), b"\x80\x02}q\x00.", b"\x08\x09\x12\x00", None])
def test_files_of_others_are_no_checkpoints(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "net.pth"
    if content is not None:
        path.write_bytes(content)
    result = run(path, "-o", tmp_path / "net.onnx")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: ")
    assert "Fix: " in result.stderr
    said = "cannot be read as weights" if content is not None and content[:1] != b"\x08" else str(path)
    assert said in result.stderr


def test_help_has_an_example() -> None:
    result = run("--help")
    assert "Example: fcn-edge export" in result.stdout


def test_help_holds_for_networks_of_others() -> None:
    said = " ".join(run("--help").stdout.split())
    assert "others remain possible, but for ONNX files of one size" in said
    assert "The decoder that it is expected to have, such as fcn8s" in said
