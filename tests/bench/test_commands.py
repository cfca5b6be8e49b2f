"""The command that is printed for a row builds it, whoever wrote the result."""

from __future__ import annotations

import shlex

import pytest

from fcn_edge.bench.commands import build_command
from fcn_edge.cli.build import command as build
from tests.bench_results import bench_row

OF_SHIPPED = "fcn-edge build camvid-mobilenet_v2-fcn8s --backend onnxruntime --precision {precision} --size 512x1024"


def test_of_a_shipped_model() -> None:
    assert build_command(bench_row(precision="int8")) == OF_SHIPPED.format(precision="int8")
    given = bench_row(precision="int8", build="fcn-edge build x --calibration 'my table.json'")
    assert build_command(given) == OF_SHIPPED.format(precision="int8") + " --calibration 'my table.json'"


@pytest.mark.parametrize("written", ["rm -rf ~", "fcn-edge build x; rm -rf ~", "fcn-edge build 'x", "fcn-edge run x"])
def test_what_else_stands_in_a_foreign_result_is_not_printed(written: str) -> None:
    assert build_command(bench_row(build=written)) == OF_SHIPPED.format(precision="fp32")
    foreign = bench_row(build=written, model="my net.onnx")
    words = shlex.split(build_command(foreign))
    assert words[:2] == ["fcn-edge", "build"]
    assert words[2] in ("my net.onnx", "x;")
    assert "rm" not in words
    assert build.make_context("build", words[2:]).params["backend"] == "onnxruntime"


def test_of_another_model_the_path_and_the_table_are_kept() -> None:
    written = "fcn-edge build '/nets/my net.onnx' --backend tensorrt --precision int8 --calibration /nets/table.json"
    words = shlex.split(build_command(bench_row(precision="int8", model="my net.onnx", build=written)))
    assert words[2:] == [
        *("/nets/my net.onnx", "--backend", "onnxruntime", "--precision", "int8", "--size", "512x1024"),
        *("--calibration", "/nets/table.json"),
    ]


def test_names_are_no_options() -> None:
    words = shlex.split(build_command(bench_row(model="--help", build="fcn-edge build --help")))
    assert words[2] == "./--help"


def test_an_engine_needs_none() -> None:
    assert build_command(bench_row(build="")) == ""
