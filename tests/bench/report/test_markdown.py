"""Markdown of a result."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fcn_edge.bench.report import COLUMNS, columns_named, columns_of, markdown_of, markdown_table, write_markdown
from fcn_edge.bench.report.markdown import table_of_cells
from fcn_edge.errors import UsageError
from tests.bench.report.ladder import ladder
from tests.bench_results import bench_result, bench_row

DASH = "\N{EN DASH}"


def tables(text: str) -> list[list[list[str]]]:
    """The tables of GitHub's Markdown in a text, as cells."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_markdown(ladder(), tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == markdown_of(ladder())
    with pytest.raises(UsageError, match="could not be written"):
        write_markdown(ladder(), tmp_path / "nowhere" / "report.md")


def test_every_table_has_cells_for_all_its_columns() -> None:
    found = tables(markdown_of(ladder(power=True)))
    assert len(found) == 6
    for table in found:
        assert {len(line) for line in table} == {len(table[0])}
        assert all(re.fullmatch(":?-+:?", cell) for cell in table[1])


def test_the_rows_stand_in_the_suites_order_with_their_numbers() -> None:
    masks, scores, missing, *_ = tables(markdown_of(ladder()))
    head = masks[0]
    assert len(masks) - 2 == 13
    assert masks[2][head.index("mIoU (%)")] == "65.9"
    assert masks[3][head.index("Of FP32 (%)")] == "99.1"
    assert re.fullmatch(rf"29\.\d \(2\d\.\d{DASH}\d\d\.\d\)", masks[2][head.index("End to end p50 (ms)")])
    assert len(scores) - 2 == 1
    assert [line[1] for line in missing[2:]] == ["absent", "failed"]
    assert "this machine has none. Use a Jetson." in missing[2][2]


def test_a_missing_value_is_a_dash_and_a_column_without_values_is_left_out() -> None:
    masks, scores, *_ = tables(markdown_of(ladder()))
    assert masks[-1][masks[0].index("Memory (MB)")] == DASH
    assert "Power (W)" not in masks[0]
    assert "Throughput (fps)" not in scores[0]
    assert "mIoU (%)" not in scores[0]
    assert "Power (W)" in tables(markdown_of(ladder(power=True)))[0][0]


def test_the_confidence_of_intervals_and_the_images_are_told() -> None:
    lead = "In parentheses behind the end-to-end p50 is its 96% interval. mIoU: 101 images of camvid val"
    assert f"{lead}, which show 3 of 4 classes." in markdown_of(ladder())


def test_few_frames_have_no_p99() -> None:
    (masks, *_) = tables(markdown_of(bench_result(bench_row("fcn32s", rounds=4), bench_row("fcn8s", rounds=5))))
    place = masks[0].index("End to end p99 (ms)")
    assert [line[place] == DASH for line in masks[2:]] == [True, False]


def test_rows_with_notes_name_them() -> None:
    text = markdown_of(ladder())
    assert "(not steady, note 1)" in text
    assert "(recorded, note 2)" in text
    assert "\n1. Not steady: Its rounds differ by 14%.\n" in text
    assert "2. Recorded in an earlier run. Taken from results/resnet50.json" in text


def test_an_unsteady_run_says_so_at_its_top() -> None:
    text = markdown_of(ladder(unstable="The control moved by 9.3%."))
    assert text.index("**Not steady:** The control moved by 9.3%.") < text.index("## Frame to mask")


def test_names_of_users_are_no_markdown() -> None:
    text = markdown_table([bench_row(model="a|b_c_<script>$x$\x1b[31m\x07")])
    ((_, _, line),) = tables(text)
    assert line[0] == r"a\|b\_c\_\<script\>\$x\$\\x1b\[31m\\x07"


def test_heads_of_columns_are_no_markdown_either() -> None:
    assert table_of_cells(("a|b", "$c$"), []).splitlines()[0] == r"| a\|b | \$c\$ |"


def test_a_table_of_chosen_columns_takes_rows_of_several_results() -> None:
    rows = [*bench_result(bench_row("fcn32s")).rows, *bench_result(bench_row("fcn8s", device="another")).rows]
    assert markdown_table(rows, columns_named("decoder", "miou")).splitlines() == [
        "| Decoder | mIoU (%) |",
        "| :--- | ---: |",
        "| FCN-32s | 74.0 |",
        "| FCN-8s | 74.0 |",
    ]


def test_every_column_says_what_it_includes() -> None:
    assert all(column.says.endswith(".") for column in COLUMNS)
    assert {column.key for column in columns_of(ladder(power=True).rows)} == {column.key for column in COLUMNS}


def test_figures_of_others_are_marked_and_have_a_source() -> None:
    text = markdown_of(ladder())
    others = text[text.index("## Figures that others publish") :]
    assert "Not measured here" in others
    assert "78.3% mIoU (Cityscapes validation)" in others
    for line in tables(others)[0][2:]:
        assert re.search(r"https://\S+ \(read \d{4}-\d\d-\d\d\)", line[-1].replace("\\", ""))
        assert all(line)
