from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from benchmarks.nets import measure
from benchmarks.nets.tables import nets_table, results_of_nets
from benchmarks.published_tables import INT8
from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import TABLE_FILE, ZOO
from fcn_edge.artifacts.spec import ModelSpec, Provenance
from fcn_edge.bench.result import read_result, write_result
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.fcn import FCN

MODELS = {f"mobilenet_v2-{name}.onnx": f"camvid-mobilenet_v2-{name}" for name in ("fcn32s", "fcn16s", "fcn8s")}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Checkpoints of a training of three decoders, and its log."""
    runs = tmp_path / "runs"
    runs.mkdir()
    for decoder, stride in (("fcn32s", 32), ("fcn16s", 16), ("fcn8s", 8)):
        path = runs / ("net.safetensors" if decoder == "fcn8s" else f"net.{decoder}.safetensors")
        spec = ModelSpec(
            name="x", encoder="mobilenet_v2", decoder=decoder, stride=stride, size=(480, 640), classes=("a", "b"),
            palette=((0, 0, 0), (9, 9, 9)), provenance=Provenance(recipe=("at once: 2 epochs", '{"seed": 7}')),
        )  # fmt: skip
        save_checkpoint(path, FCN("mobilenet_v2", (decoder,), 2), spec)
    (runs / "net.csv").write_text("stage,epoch,loss,\n")
    return runs / "net.safetensors"


TABLE = ZOO / "camvid-mobilenet_v2-fcn8s" / TABLE_FILE


def fake_fcn_edge(ran: list[list[str]]) -> Any:
    """What the commands leave: files of the right names, and the committed result under the models' names."""

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        words = command[3:]
        ran.append(words)
        if words[0] == "bench":
            result = read_result(INT8)
            names = {shipped: name for name, shipped in MODELS.items()}
            rows = tuple(row.model_copy(update={"model": names[row.model]}) for row in result.rows)
            write_result(Path(words[words.index("--json-out") + 1]), result.model_copy(update={"rows": rows}))
        elif words[0] == "calibrate":
            shutil.copyfile(TABLE, words[words.index("-o") + 1])
        else:
            Path(words[words.index("-o") + 1]).write_text("made")
        return SimpleNamespace(returncode=0)

    return SimpleNamespace(run=run)


def test_a_training_is_measured_by_the_commands_that_stand_in_its_file(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(measure, "subprocess", fake_fcn_edge(ran))
    output, data = tmp_path / "results" / "net.json", tmp_path / "camvid"
    data.mkdir()
    words = [checkpoint, "--data", data, "--trained-by", "fcn-edge train ...", "--note", "why", "-o", output]
    done = CliRunner().invoke(measure.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert [command[0] for command in ran] == ["export", "calibrate"] * 3 + ["bench"]
    content = json.loads(output.read_text())
    assert (content["name"], content["encoder"], content["note"]) == ("net", "mobilenet_v2", "why")
    assert content["commands"][0] == "fcn-edge train ..."
    assert len(content["commands"]) == 1 + len(ran)
    assert content["commands"][2].startswith("fcn-edge calibrate work/mobilenet_v2-fcn32s.onnx --images calibration/")
    assert str(tmp_path) not in output.read_text(), "no path of this machine"
    assert list(content["checkpoints"]) == ["fcn32s", "fcn16s", "fcn8s"]
    choices = read_table(TABLE).choices
    assert content["checkpoints"]["fcn8s"]["clipping"] == {name: choice.method for name, choice in choices.items()}
    assert content["checkpoints"]["fcn8s"]["recipe"] == ["at once: 2 epochs", '{"seed": 7}']
    assert output.with_suffix(".csv").read_text() == "stage,epoch,loss,\n"
    nets = {net["decoder"]: net for net in content["nets"]}
    expected = {(row.model, row.precision, row.backend): row for row in read_result(INT8).rows}
    for name, shipped in MODELS.items():
        net = nets[name[13:-5]]
        rows = {(row["precision"], row["backend"]): row for row in net["rows"]}
        fp32, int8 = expected[shipped, "fp32", "onnxruntime"], expected[shipped, "int8", "tensorrt"]
        assert fp32.accuracy is not None
        assert int8.accuracy is not None
        drop = 100 * (fp32.accuracy.miou - int8.accuracy.miou)
        assert rows["int8", "tensorrt"]["drop"] == pytest.approx(drop, abs=0.006)
        assert "end_to_end_ms" not in rows["int8", "tensorrt"], "there was no GPU"
        assert rows["fp32", "onnxruntime"]["per_class"]["car"] == pytest.approx(
            100 * (fp32.accuracy.per_class["car"] or 0), abs=0.006
        )
        worst, points = rows["int8", "tensorrt"]["worst_class"]
        losses = {
            key: (value or 0) - (int8.accuracy.per_class[key] or 0) for key, value in fp32.accuracy.per_class.items()
        }
        assert (
            100 * losses[worst]
            == pytest.approx(points, abs=0.006)
            == pytest.approx(100 * max(losses.values()), abs=0.006)
        )
    table = nets_table(results_of_nets(output.parent))
    assert "| FCN-8s MobileNetV2 | 74.5 |" in table

    ran.clear()
    assert CliRunner().invoke(measure.main, [*map(str, words), "--resume"]).exit_code == 0
    assert [command[0] for command in ran] == ["bench"], "graphs and tables are there"
    assert "--resume" in ran[0]
    assert json.loads(output.read_text())["commands"][:-1] == content["commands"][:-1]


def test_nothing_is_written_where_a_command_fails(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "subprocess", SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=4)))
    words = [checkpoint, "--data", tmp_path, "--trained-by", "x", "-o", tmp_path / "net.json"]
    assert CliRunner().invoke(measure.main, list(map(str, words))).exit_code == 1
    assert not (tmp_path / "net.json").exists()
