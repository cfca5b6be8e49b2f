from __future__ import annotations

from fcn_edge.cli.table import table


def test_columns_stand_below_each_other() -> None:
    assert table(["class", "IoU"], [["road", "98.0%"], ["a sign", "7.1%"]]) == [
        "class     IoU",
        "------  -----",
        "road    98.0%",
        "a sign   7.1%",
    ]


def test_names_break_no_table() -> None:
    lines = table(["class"], [["a\x1b[2J\nb"], ["k" * 5000]])
    assert lines[2] == "a\\x1b[2J\\nb"
    assert all(line.isprintable() and len(line) <= 100 for line in lines)
