"""What a run measured, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from fcn_edge.bench.result import BenchResult, read_result, write_result
from fcn_edge.errors import ArtifactError
from fcn_edge.io.documents import write_document
from tests.bench_results import bench_result, bench_row


def test_comes_back_as_it_was_written(tmp_path: Path) -> None:
    result = bench_result(bench_row(), bench_row("fcn16s", "int8"))
    write_result(tmp_path / "result.json", result)
    assert read_result(tmp_path / "result.json") == result


def test_the_first_version_is_read() -> None:
    result = read_result(Path(__file__).parent / "samples" / "schema1.json")
    assert [row.state for row in result.rows] == ["measured", "absent"]
    times = result.rows[0].end_to_end_ms
    assert times is not None
    assert len(times.percentiles) == 101
    assert (result.control.name, result.examples[0].shares) == ("fcn32s fp32 256x320", {"fcn8s": 0.5})


def test_what_is_no_result_is_refused_with_its_first_problem(tmp_path: Path) -> None:
    content = bench_result(bench_row()).model_dump(mode="json")
    content["rows"][0]["precision"] = "fp12"
    write_document(tmp_path / "result.json", content)
    with pytest.raises(ArtifactError, match=r"no result of fcn-edge bench: .*precision"):
        read_result(tmp_path / "result.json")


def test_a_changed_digit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, bench_result(bench_row(memory_mb=210.5)))
    path.write_text(path.read_text().replace("210.5", "110.5"))
    with pytest.raises(ArtifactError, match="changed or damaged"):
        read_result(path)


def test_a_row_without_times_was_not_measured() -> None:
    row = bench_row().model_dump()
    with pytest.raises(ValidationError, match="has no times"):
        bench_row(**{**row, "network_ms": None})
    with pytest.raises(ValidationError, match="absent and has times"):
        bench_row(state="absent")


def test_rows_have_names_of_their_own() -> None:
    with pytest.raises(ValidationError, match="same name"):
        bench_result(bench_row(), bench_row())
    assert len(bench_result(bench_row(), bench_row("fcn16s")).rows) == 2
    assert BenchResult.model_validate(bench_result(bench_row()).model_dump(mode="json")).rows[0].size == (512, 1024)
