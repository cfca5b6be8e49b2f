"""What goes to a child that sends access units on, and comes back, with a child that is played."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.rtsp import unit_child as module
from fcn_edge.runtime.sinks.rtsp import unit_records
from fcn_edge.runtime.sinks.rtsp.unit_child import UnitChild
from tests.waits import until

pytestmark = pytest.mark.usefixtures("no_thread_left")

ECHO = f"""
import json, os, sys, time
sys.path.append({str(Path(unit_records.__file__).parent)!r})
from unit_records import read_record
while (record := read_record(0)) is not None:
    kind, number, time_ns, keyframe, data = record
    told = dict(kind=kind, number=number, time=time_ns, keyframe=keyframe, size=len(data))
    os.write(int(sys.argv[1]), json.dumps(told).encode() + b"\\n")
"""
UNIT = AccessUnit(b"x" * 100_000, 0, True, (48, 64))


class Played:
    def __init__(self, code: str) -> None:
        self.heard: list[dict[str, Any]] = []
        self.over: list[int | None] = []
        self.child = UnitChild([sys.executable, "-c", code], self.heard.append, self.over.append, "played")


@pytest.fixture
def play() -> Iterator[Callable[[str], Played]]:
    """Starts a program."""
    played: list[Played] = []

    def start(code: str) -> Played:
        played.append(Played(code))
        played[-1].child.start()
        return played[-1]

    yield start
    for one in played:
        one.child.close()


def test_records_go_and_answers_come(play: Callable[[str], Played]) -> None:
    one = play(ECHO)
    one.child.tell(3, kind="mount", path="/street")
    assert one.child.send(7, UNIT, 123_456_789_012)
    until(lambda: len(one.heard) == 2)
    assert one.heard[0]["number"] == 3
    assert one.heard[1] == {
        "kind": unit_records.UNIT, "number": 7, "time": 123_456_789_012, "keyframe": True, "size": 100_000,
    }  # fmt: skip
    one.child.close()
    assert one.over == [0]


def test_what_takes_nothing_is_left_out_and_holds_nobody_up(play: Callable[[str], Played]) -> None:
    one = play("import time; time.sleep(600)")
    sent = [one.child.send(0, UNIT, 0) for _ in range(200)]
    assert sum(sent) <= module.MOST_BYTES // len(UNIT.data) + 2
    assert not sent[-1]
    one.child.close()
    assert one.over == [-9]


def test_one_that_ends_is_told_of(play: Callable[[str], Played]) -> None:
    one = play("import sys; sys.exit(3)")
    until(lambda: bool(one.over))
    assert one.over == [3]
    assert one.child.send(0, UNIT, 0)  # nobody knows yet that it is in vain
    one.child.close()


def test_half_an_answer_is_none(play: Callable[[str], Played]) -> None:
    one = play('import os, sys; os.write(int(sys.argv[1]), b\'{"kind": "a"}\\n{"kind\')')
    until(lambda: bool(one.over))
    assert one.heard == [{"kind": "a"}]


@pytest.mark.parametrize("cut", [5, unit_records.HEADER.size + 1])
def test_a_record_that_was_cut_is_the_end(tmp_path: Path, cut: int) -> None:
    header = unit_records.HEADER.pack(unit_records.MAGIC, unit_records.UNIT, 0, 0, 1, 3)
    path = tmp_path / "records"
    path.write_bytes((header + b"abc") + (header + b"abc")[:cut])
    with path.open("rb", buffering=0) as file:
        assert unit_records.read_record(file.fileno()) == (unit_records.UNIT, 0, 0, True, b"abc")
        assert unit_records.read_record(file.fileno()) is None
