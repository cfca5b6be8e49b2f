"""Builds of graphs that are typed already, as they reach a machine without the onnx package."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.builder import Build, BuildRequest, write_typed_onnx
from fcn_edge.builder.build import _notes
from fcn_edge.builder.typed_onnx import typed_file
from fcn_edge.datasets import split_of
from fcn_edge.errors import DatasetError, ModelError, UsageError
from fcn_edge.runtime.segmenter import load

from ..quantization.loud_network import loud_network
from .made_up import outcome

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")

MakeBuild = Callable[..., Build]


@pytest.fixture(scope="module")
def typed(levels: Any, table_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The levels model's typed graph for a backend, made once."""
    made: dict[tuple[str, str], Path] = {}

    def graph(precision: str, backend: str = "onnxruntime") -> Path:
        if (precision, backend) not in made:
            path = tmp_path_factory.mktemp("typed") / f"m.{precision}.onnx"
            request = BuildRequest(backend=backend, precision=precision, calibration=table_of(levels))
            write_typed_onnx(levels.path, request, path)
            made[precision, backend] = path
        return made[precision, backend]

    return graph


@pytest.mark.parametrize("asked", ["int8", "auto"])
def test_int8_graph_becomes_an_engine_that_was_not_judged(
    build: MakeBuild, typed: Any, levels: Any, table_of: Any, tmp_path: Path, asked: str
) -> None:
    built = build(typed("int8"), tmp_path / "e", precision=asked)
    manifest = built.manifest
    assert (manifest.precision, manifest.spec.precision) == ("int8", "int8")
    assert manifest.guard == "none: the fp32 model that the int8 graph was made from is not at hand"
    assert built.warnings[0].startswith("It was not judged")
    assert manifest.int8_share == pytest.approx(7168 / 7520, abs=1e-4)
    table = read_table(table_of(levels))
    assert manifest.calibration_digest == table.digest
    assert set(manifest.calibration_images) == table.image_hashes
    assert "method" not in manifest.notes
    with load(built.engine) as segment:
        assert segment(np.zeros((64, 96, 3), np.uint8)).labels.max() == 0


def test_fp16_graph_becomes_an_engine(build: MakeBuild, typed: Any, tmp_path: Path) -> None:
    built = build(typed("fp16"), tmp_path / "e", precision="fp16")
    assert built.manifest.guard == "none: the fp32 model that the fp16 graph was made from is not at hand"
    assert built.manifest.int8_share is None


def test_labeled_images_score_it_all_the_same(
    build: MakeBuild, typed: Any, levels_val: Path, levels_train: Path, tmp_path: Path
) -> None:
    built = build(typed("int8"), tmp_path / "e", precision="int8", evaluation=split_of(levels_val))
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.miou > 0.95
    assert "the fp32 to compare it with is not at hand" in built.manifest.guard
    with pytest.raises(DatasetError, match="used to calibrate"):
        build(typed("int8"), tmp_path / "f", precision="int8", evaluation=split_of(levels_train))


@pytest.mark.parametrize(("precision", "asked"), [("int8", "fp32"), ("int8", "fp16"), ("fp16", "int8")])
def test_other_precision_is_refused(build: MakeBuild, typed: Any, tmp_path: Path, precision: str, asked: str) -> None:
    with pytest.raises(UsageError, match=f"is an {precision} graph; the precision {asked} was asked for"):
        build(typed(precision), tmp_path / "e", precision=asked)


def test_graph_for_another_backend_is_refused(build: MakeBuild, typed: Any, tmp_path: Path, add_backend: Any) -> None:
    """A graph that is right in one library may saturate in another, and there is nothing to judge it against."""
    add_backend("openvino")
    with pytest.raises(ModelError, match=r"quantization profile openvino.*; here onnxruntime wants onnxruntime"):
        build(typed("int8", "openvino"), tmp_path / "e", backend="onnxruntime", precision="int8")


def test_auto_takes_only_the_backends_that_a_graph_is_made_for(
    build: MakeBuild, typed: Any, tmp_path: Path, add_backend: Any
) -> None:
    other = add_backend("openvino")
    built = build(typed("int8"), tmp_path / "e", precision="int8")
    assert [(one.backend, one.kept, one.reason) for one in built.candidates] == [
        ("onnxruntime", True, "the only one that runs here"),
        ("openvino", False, "the graph is not made for it"),
    ]
    assert other.built == []
    assert build(typed("int8", "openvino"), tmp_path / "f", precision="int8").manifest.backend == "openvino"


def test_graph_of_seven_bits_is_right_on_processors_that_take_eight(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fcn_edge.backends.onnxruntime import cpu as onnxruntime
    from fcn_edge.builder import typed_export as export

    monkeypatch.setattr(export, "instruction_set", lambda: "avx2")
    request = BuildRequest(backend="onnxruntime", precision="int8", calibration=table_of(levels))
    write_typed_onnx(levels.path, request, tmp_path / "7.onnx")
    monkeypatch.setattr(export, "instruction_set", lambda: "avx512_vnni")
    write_typed_onnx(levels.path, request, tmp_path / "8.onnx")
    for here in ("avx512_vnni", "avx2"):
        monkeypatch.setattr(onnxruntime, "instruction_set", lambda here=here: here)
        monkeypatch.setattr(onnxruntime.OnnxRuntime, "incompatibility", lambda *_: "")
        assert build(tmp_path / "7.onnx", tmp_path / "e", precision="int8").manifest.spec.profile == "onnxruntime-7bit"
    with pytest.raises(ModelError, match="profile onnxruntime; here onnxruntime wants onnxruntime-7bit"):
        build(tmp_path / "8.onnx", tmp_path / "f", precision="int8")


@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_no_onnx_package_is_needed(typed: Any, tmp_path: Path, precision: str) -> None:
    code = """
        import sys
        for name in ("onnx", "onnxscript", "torch"):
            sys.modules[name] = None
        from fcn_edge.builder import tuner
        tuner.speeds_of = lambda *_, **__: {}
        from fcn_edge.cli.main import main
        main(sys.argv[1:])
    """
    arguments = ["build", typed("int8"), "--precision", precision, "--backend", "onnxruntime", "-o", tmp_path / "e"]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["precision"] == "int8"
    assert "Warning: It was not judged" in done.stderr


def test_an_engine_says_what_its_activations_are_divided_by(tmp_path: Path) -> None:
    onnx.save_model(loud_network(4e4), tmp_path / "loud.onnx")
    model = resolved_model(tmp_path / "loud.onnx")
    made = outcome("fp16")
    typed = typed_file(model, made.candidate, tmp_path, table=None, choice=None)
    assert typed.islands == ()
    assert typed.divisor > 1
    compiled = dataclasses.replace(made.compiled, typed=typed)
    assert _notes(compiled, (), "") == {"activations_divided_by": typed.divisor}
    assert _notes(made.compiled, (), "") == {}
