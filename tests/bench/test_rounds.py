"""Rounds: who is measured when, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fcn_edge.bench.journal import Journal
from fcn_edge.bench.measured import Measured, Request, WorkerError
from fcn_edge.bench.rounds import STUBBORN, Measurements, RoundLimits, measured_rounds
from fcn_edge.errors import MachineError, ModelError

LIMITS = RoundLimits(least=4, most=7, width=0.08)


def request(name: str) -> Request:
    return Request(model=name, frames="frames.npy", count=3, warm_up=1, ends="mask")


def measured(milliseconds: float) -> Measured:
    times = [round(milliseconds * 1e6)] * 3
    stages = {"preprocess": [1] * 3, "infer": times, "decode": [1] * 3}
    return Measured("onnxruntime", 10, times, stages, {}, 1000 / milliseconds, 1000, {}, 6)


class Stand:
    """Measures rows by a table, and remembers who came when."""

    def __init__(self, times: Callable[[str, int], float] = lambda _name, _turn: 10.0) -> None:
        self.order: list[str] = []
        self._times = times

    def __call__(self, request: Request) -> Measured:
        turn = self.order.count(request.model)
        self.order.append(request.model)
        return measured(self._times(request.model, turn))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Measurements]:
    def run(stand: Stand, names: str = "abc", resume: bool = False, limits: RoundLimits = LIMITS) -> Measurements:
        with Journal(tmp_path / "journal.jsonl", {}, resume=resume) as journal:
            return measured_rounds(
                {name: request(name) for name in names}, request("control"), limits, journal, stand, None
            )

    return run


def test_the_control_begins_each_round_and_neighbors_change(run: Callable[..., Measurements]) -> None:
    stand, again = Stand(), Stand()
    found = run(stand, limits=RoundLimits(least=12, most=12, width=0.08))
    run(again, limits=RoundLimits(least=12, most=12, width=0.08))
    assert again.order == stand.order
    rounds = [stand.order[index : index + 4] for index in range(0, len(stand.order), 4)]
    assert all(first == "control" and sorted(rest) == list("abc") for first, *rest in rounds)
    for name in "abc":
        before = {one[one.index(name) - 1] for one in rounds}
        assert before == {"control", *"abc"} - {name}
    assert found.rounds == len(found.control) == 12
    assert {name: len(rounds) for name, rounds in found.rows.items()} == {"a": 12, "b": 12, "c": 12}


def test_rounds_are_added_until_every_interval_is_narrow(run: Callable[..., Measurements]) -> None:
    # the first round is off for b; an interval of nine rounds leaves the slowest out
    limits = RoundLimits(least=4, most=12, width=0.08)
    found = run(Stand(lambda name, turn: 20.0 if name == "b" and turn == 0 else 10.0), limits=limits)
    assert found.rounds == 9


def test_rounds_end_although_an_interval_stays_wide(run: Callable[..., Measurements]) -> None:
    found = run(Stand(lambda name, turn: 10.0 + 5 * (turn % 2)))
    assert found.rounds == LIMITS.most


def test_a_row_that_fails_is_left_out_and_the_others_go_on(run: Callable[..., Measurements]) -> None:
    class Failing(Stand):
        def __call__(self, request: Request) -> Measured:
            found = super().__call__(request)
            if request.model == "b" and self.order.count("b") == 2:
                raise ModelError("It breaks.", "Mend it.")
            return found

    stand = Failing()
    found = run(stand)
    assert stand.order.count("b") == 2
    assert (type(found.failures["b"]), found.failures["b"].fix) == (ModelError, "Mend it.")
    assert {name: len(rounds) for name, rounds in found.rows.items()} == {"a": 4, "b": 1, "c": 4}


def test_a_process_that_died_is_measured_again_when_the_run_is_resumed(run: Callable[..., Measurements]) -> None:
    def die(name: str, _turn: int) -> float:
        if name == "b":
            raise WorkerError("It was killed by signal 9.")
        return 10.0

    assert isinstance(run(Stand(die)).failures["b"], WorkerError)
    again = Stand()
    assert run(again, resume=True).failures == {}
    assert set(again.order) == {"b"}


def test_a_control_that_fails_ends_the_run(run: Callable[..., Measurements]) -> None:
    def fail(_name: str, _turn: int) -> float:
        raise MachineError("No memory.")

    with pytest.raises(MachineError, match="No memory"):
        run(Stand(fail))


@pytest.mark.parametrize("killed", range(1, 17))
def test_killed_anywhere_and_resumed_it_is_the_same(run: Callable[..., Measurements], killed: int) -> None:
    def times(name: str, turn: int) -> float:
        return 10 + len(name) + turn / 100

    class Killed(Stand):
        def __call__(self, request: Request) -> Measured:
            if len(self.order) == killed:
                raise KeyboardInterrupt
            return super().__call__(request)

    whole = run(Stand(times))
    first = Killed(times)
    if killed < 16:
        with pytest.raises(KeyboardInterrupt):
            run(first)
    else:
        run(first)
    rest = Stand(lambda name, turn: times(name, turn + first.order.count(name)))
    assert run(rest, resume=True) == whole
    assert len(rest.order) == 16 - killed


WAITING = RoundLimits(least=4, most=4, width=0.08, drift=0.08, patience=1.0)


def slow(turns: range) -> Callable[[str, int], float]:
    """A machine whose control is half as slow again at some of its turns."""
    return lambda name, turn: 15.0 if name == "control" and turn in turns else 10.0


def test_a_run_waits_until_the_machine_is_as_fast_as_before(run: Callable[..., Measurements]) -> None:
    stand = Stand(slow(range(1, 11)))
    found = run(stand, limits=replace(WAITING, patience=3.0))
    # the second round's control is slow: it is measured again until it is not, and then the rows come
    assert stand.order[4:15] == ["control"] * 11
    assert sorted(stand.order[15:18]) == list("abc")
    assert [one.whole_ns[0] for one in found.control] == [10_000_000] * 4
    assert [one.whole_ns[0] for one in found.waits] == [15_000_000] * 10
    assert stand.order.count("control") == 4 + 10


def test_a_slow_row_stays_and_the_control_is_asked_before_the_next(run: Callable[..., Measurements]) -> None:
    stand = Stand(lambda name, turn: 15.0 if name == "b" and turn == 2 else 10.0)
    found = run(stand, limits=WAITING)
    assert [one.whole_ns[0] for one in found.rows["b"]] == [10_000_000, 10_000_000, 15_000_000, 10_000_000]
    third = [place for place, name in enumerate(stand.order) if name == "b"][2]
    assert stand.order[third + 1] == "control"
    assert [one.whole_ns[0] for one in found.waits] == [10_000_000]
    assert len(found.control) == 4


def test_patience_ends(run: Callable[..., Measurements]) -> None:
    stand = Stand(slow(range(1, 100)))
    found = run(stand, limits=replace(WAITING, patience=0.5))
    # five measurements were made when the second round's control was slow, so that the third wait is the last
    assert stand.order[4:9] == ["control"] * 4 + [stand.order[8]]
    assert stand.order[8] != "control"
    assert [one.whole_ns[0] for one in found.control] == [10_000_000, *[15_000_000] * 3]
    assert all(len(rounds) == 4 for rounds in found.rows.values())
    assert len(found.waits) == 7
    assert run(Stand(slow(range(1, 100)))).waits == []  # without patience


def test_a_machine_that_stays_slower_has_a_new_normal(run: Callable[..., Measurements]) -> None:
    stand = Stand(slow(range(1, 1000)))
    found = run(stand, limits=replace(WAITING, patience=100.0))
    assert len(found.waits) == STUBBORN
    assert stand.order.count("control") == 4 + STUBBORN


def test_who_waits_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    with Journal(tmp_path / "journal.jsonl", {}, resume=False) as journal:
        measured_rounds(
            {"a": request("a")},
            request("control"),
            WAITING,
            journal,
            Stand(slow(range(1, 3))),
            waiting=lambda: told.append("waiting"),
        )
    assert told == ["waiting"]


def test_a_control_that_dies_while_the_run_waits_ends_the_wait(run: Callable[..., Measurements]) -> None:
    def die(name: str, turn: int) -> float:
        if name == "control" and turn == 2:
            raise WorkerError("It was killed by signal 9.")
        return 15.0 if name == "control" and turn == 1 else 10.0

    found = run(Stand(die), limits=WAITING)
    assert found.rounds == 4
    assert found.waits == []
    assert [one.whole_ns[0] for one in found.control] == [10_000_000, 15_000_000, 10_000_000, 10_000_000]


def test_a_row_that_crashed_and_is_measured_later_changes_no_wait(run: Callable[..., Measurements]) -> None:
    def die(name: str, turn: int) -> float:
        if name == "b":
            raise WorkerError("It was killed by signal 9.")
        return slow(range(1, 4))(name, turn)

    before = run(Stand(die), limits=WAITING)
    again = Stand()
    after = run(again, resume=True, limits=WAITING)
    assert again.order == ["b"] * 4
    assert (after.control, after.waits) == (before.control, before.waits)


@pytest.mark.parametrize("killed", range(1, 19))
def test_killed_while_it_waits_and_resumed_it_is_the_same(run: Callable[..., Measurements], killed: int) -> None:
    times = slow(range(1, 4))

    class Killed(Stand):
        def __call__(self, request: Request) -> Measured:
            if len(self.order) == killed:
                raise KeyboardInterrupt
            return super().__call__(request)

    whole = run(Stand(times), limits=WAITING)
    first = Killed(times)
    with pytest.raises(KeyboardInterrupt):
        run(first, limits=WAITING)
    rest = Stand(lambda name, turn: times(name, turn + first.order.count(name)))
    assert run(rest, resume=True, limits=WAITING) == whole


def test_failures_are_remembered_over_a_resumption(run: Callable[..., Measurements]) -> None:
    def times(name: str, _turn: int) -> float:
        if name == "a":
            raise ModelError("It breaks.", "Mend it.")
        return 10.0

    run(Stand(times))
    again = Stand(times)
    found = run(again, resume=True)
    assert not again.order
    assert isinstance(found.failures["a"], ModelError)
