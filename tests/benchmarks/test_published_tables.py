"""The README's tables are those of the committed results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import published_tables
from fcn_edge.bench.result import read_result
from tests.bench_results import bench_row


def test_the_pages_are_as_the_results_are() -> None:
    checked = CliRunner().invoke(published_tables.main, ["--check"])
    assert checked.exit_code == 0, checked.output


def test_every_section_has_a_content(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = published_tables.sections()
    found = [
        match["name"]
        for name in published_tables.PAGES
        for match in published_tables.SECTION.finditer((published_tables.ROOT / name).read_text(encoding="utf-8"))
    ]
    assert sorted(found) == sorted(contents)
    assert all(content.strip() for content in contents.values())


def test_a_digit_that_differs_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in published_tables.PAGES:
        text = (published_tables.ROOT / name).read_text(encoding="utf-8")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(re.sub(r"(\| 480x640 \|[^\n]*?)(\d)\.", r"\g<1>0\2.", text, count=1))
    contents = published_tables.sections()
    monkeypatch.setattr(published_tables, "ROOT", tmp_path)
    outdated = [name for name, old, new in published_tables.pages(contents) if old != new]
    assert outdated == ["README.md"]


def test_the_table_has_the_shipped_ladder_at_two_sizes_with_accuracy() -> None:
    rows = [row for row in read_result(published_tables.SHIPPED).rows if row.ends == "mask"]
    wanted = {
        (decoder, precision, size)
        for decoder in ("fcn32s", "fcn16s", "fcn8s")
        for precision in ("fp32", "int8")
        for size in ((480, 640), (512, 1024))
    }
    assert {(row.decoder, row.precision, row.size) for row in rows} == wanted
    assert all(row.accuracy is not None and row.accuracy.split == "val" for row in rows)


def test_the_class_that_loses_most() -> None:
    fp32, int8, other = bench_row(), bench_row(precision="int8", miou=0.7), bench_row(size=(480, 640), miou=0.9)
    assert fp32.accuracy is not None
    assert int8.accuracy is not None
    before = fp32.accuracy.model_copy(update={"per_class": {"road": 0.9, "pole": 0.3, "train": None}})
    after = int8.accuracy.model_copy(update={"per_class": {"road": 0.88, "pole": 0.25, "train": None}})
    rows = [other, fp32.model_copy(update={"accuracy": before}), int8.model_copy(update={"accuracy": after})]
    assert [published_tables.worst_class(row, rows) for row in rows] == ["", "", "pole -5.0"]
    assert published_tables.worst_class(rows[2], rows[2:]) == ""  # there is nothing to compare with
