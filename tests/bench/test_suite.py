"""Suites: TOML files that say what to measure."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.bench.plan import planned_rows
from fcn_edge.bench.suite import Suite, read_suite, shipped_suites
from fcn_edge.errors import ArtifactError, ModelError, UsageError
from tests.tiny_network import TinyNetwork

LADDER = [f"camvid-mobilenet_v2-fcn{stride}s" for stride in (32, 16, 8)]


def suite_file(directory: Path, text: str) -> Path:
    path = directory / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", shipped_suites())
def test_every_shipped_suite_can_be_planned(name: str) -> None:
    told, suite = read_suite(name)
    assert told == name
    assert suite.title
    assert planned_rows(suite)


def test_the_shipped_ladder() -> None:
    rows = planned_rows(read_suite("shipped")[1])
    wanted = {(f"{model}", precision, size) for model in LADDER for precision in ("fp32", "int8") for size in SIZES}
    assert {(row.label, row.precision, row.size) for row in rows if row.ends == "mask"} == wanted
    scores = [row for row in rows if row.ends == "scores"]
    assert {row.label for row in scores} == {LADDER[0]}
    assert scores[0].name == f"{LADDER[0]} fp32 auto 480x640 scores"
    assert scores[0].title == f"{LADDER[0]} fp32 auto 480x640"
    assert scores[0].engine in {row.engine for row in rows if row.ends == "mask"}


SIZES = [(480, 640), (512, 1024)]


def test_rows_are_every_combination_in_the_suites_order(tmp_path: Path) -> None:
    path = suite_file(
        tmp_path,
        f"""
        rounds = 5
        [[rows]]
        models = ["{LADDER[2]}"]
        precisions = ["fp32", "int8"]
        backends = ["onnxruntime", "openvino"]
        sizes = ["256x320", "480x640"]
        [[rows]]
        models = ["{LADDER[0]}"]
        threads = 1
        """,
    )
    name, suite = read_suite(path)
    assert (name, suite.rounds) == ("mine", 5)
    names = [row.name for row in planned_rows(suite)]
    assert names[:3] == [
        f"{LADDER[2]} fp32 onnxruntime 256x320",
        f"{LADDER[2]} int8 onnxruntime 256x320",
        f"{LADDER[2]} fp32 openvino 256x320",
    ]
    assert names[8:] == [f"{LADDER[0]} fp32 auto 480x640 1 threads"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rounds = ", "not valid TOML"),
        ("rounds = 5", "rows: "),
        ("[[rows]]\nmodels = []", "models: "),
        ('[[rows]]\nmodels = ["m"]\nsizes = ["480"]', "is not a size"),
        ('[[rows]]\nmodels = ["m"]\nprecision = "fp32"', "precision: "),
        ('rounds = 0\n[[rows]]\nmodels = ["m"]', "rounds: "),
        ('[[rows]]\nmodels = ["m"]\nprecisions = ["int4"]', "precisions"),
    ],
)
def test_a_suite_that_makes_no_sense(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ArtifactError, match=problem) as caught:
        read_suite(suite_file(tmp_path, text))
    assert str(tmp_path) in caught.value.message
    assert "pydantic" not in str(caught.value)


def test_no_such_suite() -> None:
    with pytest.raises(UsageError, match="no suite 'nothing'") as caught:
        read_suite("nothing")
    assert "shipped" in caught.value.fix


def test_the_same_row_twice() -> None:
    suite = Suite.model_validate({"rows": [{"models": [LADDER[0], LADDER[0]]}]})
    with pytest.raises(UsageError, match="two rows"):
        planned_rows(suite)


def test_a_model_that_is_missing_is_left_out_only_where_rows_of_it_are_recorded() -> None:
    suite = Suite.model_validate({"rows": [{"models": ["nets/vgg16.onnx", LADDER[0]]}]})
    for recorded in ((), ("vgg19.onnx",)):
        with pytest.raises(ModelError, match=r"vgg16\.onnx"):
            planned_rows(suite, recorded)
    assert [row.label for row in planned_rows(suite, ("vgg16.onnx",))] == [LADDER[0]]


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ({"models": [LADDER[0]], "backends": ["onnxruntme"]}, "no backend 'onnxruntme'"),
        ({"models": [LADDER[0]], "sizes": ["33x64"]}, "33x64 is not a multiple of 32"),
    ],
)
def test_what_no_machine_can_measure_is_refused_at_once(group: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        planned_rows(Suite.model_validate({"rows": [group]}))


def test_files_beside_a_suite_are_found_from_anywhere(tmp_path: Path, tiny: TinyNetwork) -> None:
    shutil.copy(tiny.path, tmp_path / "net.onnx")
    (tmp_path / "val").mkdir()
    path = suite_file(tmp_path, 'data = "val"\n[[rows]]\nmodels = ["net.onnx", "camvid-mobilenet_v2-fcn8s"]')
    suite = read_suite(path)[1]
    assert suite.rows[0].models == (str(tmp_path / "net.onnx"), LADDER[2])
    assert suite.data == str(tmp_path / "val")
    assert suite.source.startswith("synthetic://")


def test_names_that_no_file_can_have_are_left_as_they_are(tmp_path: Path) -> None:
    source = f"synthetic://street?seed={'1' * 5000}"
    path = suite_file(tmp_path, f'source = "{source}"\ndata = "a\\u0000b"\n[[rows]]\nmodels = ["m"]')
    suite = read_suite(path)[1]
    assert (suite.source, suite.data) == (source, "a\0b")


def test_engines_of_other_weights_or_tables_are_others(tmp_path: Path, tiny_network: Any) -> None:
    (tmp_path / "a").mkdir()
    for name, seed in (("net 1.onnx", 0), ("net_1.onnx", 1), ("a/net_1.onnx", 2)):
        tiny_network(tmp_path / name, seed=seed)
    rows = [
        row
        for name in ("net 1.onnx", "net_1.onnx", "a/net_1.onnx")
        for row in planned_rows(Suite.model_validate({"rows": [{"models": [str(tmp_path / name)]}]}))
    ]
    assert len({row.engine for row in rows}) == 3
    assert rows[1].title == rows[2].title
