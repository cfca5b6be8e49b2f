"""Short names tell rows apart."""

from __future__ import annotations

from fcn_edge.bench.report.labels import (
    comparable,
    frames_name,
    images_of,
    measured,
    short_names,
    title_of,
    variant_name,
)
from tests.bench.report.ladder import ladder
from tests.bench_results import bench_result, bench_row


def test_what_rows_have_in_common_is_left_out() -> None:
    rows = [bench_row("fcn32s"), bench_row("fcn8s")]
    assert list(short_names(rows).values()) == ["FCN-32s", "FCN-8s"]
    rows.append(bench_row("fcn8s", "int8", "openvino"))
    assert short_names(rows)[rows[2].name] == "FCN-8s INT8 OpenVINO"


def test_a_single_row_has_its_decoder_for_a_name() -> None:
    assert list(short_names([bench_row("fcn16s")]).values()) == ["FCN-16s"]


def test_rows_of_two_models_of_one_kind_are_told_apart() -> None:
    rows = [bench_row("fcn8s"), bench_row("fcn8s", name="other", model="mine.onnx")]
    assert len(set(short_names(rows).values())) == 2
    assert "mine.onnx" in short_names(rows)["other"]


def test_rows_that_differ_in_their_names_alone_keep_them() -> None:
    rows = [bench_row("fcn8s"), bench_row("fcn8s", name="again")]
    assert short_names(rows) == {rows[0].name: rows[0].name, "again": "again"}


def test_a_variant_names_all_but_model_and_encoder() -> None:
    assert variant_name(bench_row("fcn8s", "int8", "openvino")) == "FCN-8s INT8 512x1024 OpenVINO"


def test_a_run_of_named_models_is_called_by_them() -> None:
    rows = [bench_row("fcn8s"), bench_row("fcn8s", "int8"), bench_row("fcn32s")]
    assert title_of(bench_result(*rows, title="", suite="models")) == f"{rows[0].model}, {rows[2].model}"
    many = [bench_row(model=f"{index}.onnx", name=str(index)) for index in range(4)]
    assert title_of(bench_result(*many, title="", suite="models")) == "4 models"
    assert title_of(bench_result(*rows, title="")) == "ladder"
    assert title_of(bench_result(*rows)) == "The shipped ladder"


def test_only_steady_rows_of_this_run_that_end_in_a_mask_compare() -> None:
    rows = ladder().rows
    assert len(measured(rows)) == 13
    assert len(measured(rows, "scores")) == 1
    assert len(comparable(rows)) == 11


def test_rendered_images_are_called_so() -> None:
    accuracy = bench_row().accuracy
    assert accuracy is not None
    assert images_of(accuracy) == "101 images of camvid val"
    rendered = {"dataset": "rendered-street", "split": "seed 700", "images": 6, "rendered": True}
    assert images_of(accuracy.model_copy(update=rendered)) == "6 rendered images (rendered-street, seed 700)"


def test_rendered_frames_have_no_address() -> None:
    address = "synthetic://street?seed=110&size=720x1280&frames=8&fps=1"
    assert frames_name(f"{address}, 720x1280") == "rendered street, 720x1280"
    assert frames_name("drive.mp4, 720x1280") == "drive.mp4, 720x1280"
