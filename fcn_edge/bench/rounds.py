"""Rounds: each measures every row once, so that a machine that drifts drifts for all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from fcn_edge.bench.intervals import median_interval
from fcn_edge.bench.journal import CONTROL, Journal
from fcn_edge.bench.measured import Measured, Request, WorkerError, error_of, failure_of
from fcn_edge.bench.steadiness import Steadiness
from fcn_edge.bench.times import round_median_ms
from fcn_edge.errors import FcnEdgeError

__all__ = ["Measurements", "RoundLimits", "measured_rounds"]

Measure = Callable[[Request], Measured]

STUBBORN = 60
"""Waits in a row after which a machine that stays slower has a new normal: about a minute."""


@dataclass(frozen=True)
class RoundLimits:
    """How many rounds there are.

    Attributes:
        least: Rounds at least.
        most: Rounds at most.
        width: Rounds are added until every row's interval is no wider than this share of its median.
        drift: How much slower than it was, as a share, the control or a row may be before the run waits.
        patience: How often it waits at most, for each measurement that it makes.
    """

    least: int
    most: int
    width: float
    drift: float = 0.08
    patience: float = 0.0


@dataclass
class Measurements:
    """What the rounds measured.

    Attributes:
        rounds: How many were run.
        rows: Every row's rounds, in their order, by name; of failed ones those before the failure.
        control: The control's rounds: the last that was measured before the first row of each.
        waits: The control's others, measured until the machine was as fast as before.
        failures: What rows failed with, by name.
    """

    rounds: int = 0
    rows: dict[str, list[Measured]] = field(default_factory=dict)
    control: list[Measured] = field(default_factory=list)
    waits: list[Measured] = field(default_factory=list)
    failures: dict[str, FcnEdgeError] = field(default_factory=dict)


def measured_rounds(
    requests: Mapping[str, Request],
    control: Request,
    limits: RoundLimits,
    journal: Journal,
    measure: Measure,
    progress: Callable[[int, int], None] | None = None,
    waiting: Callable[[], None] | None = None,
) -> Measurements:
    """Run the rounds. What the journal holds already is taken from there.

    Each round begins with the control; then come the rows, in an order of the round's own, so that none always follows
    the same neighbor and inherits its heat. Where the machine is disturbed, the control is measured again before what
    comes next, until it is as fast as before, patience ends or the machine seems to stay as it is. A row that fails is
    left out of the rounds that follow.

    Args:
        requests: What to measure, by name of the row.
        control: What runs in every round the same way.
        limits: How many rounds.
        journal: Where everything is written down at once.
        measure: Measures one row in one round.
        progress: Called with measurements made and measurements in all, as far as is known.
        waiting: Called when the run waits for the first time.

    Raises:
        FcnEdgeError: The control fails.
        MachineError: The disk of the journal is full.
    """
    found = Measurements(rows={name: [] for name in requests})
    steady = Steadiness(limits.drift)
    made, measurements, last, disturbed = 0, 0, "", False

    def waited(place: str, following: str) -> Iterator[Measured]:
        """The control until it is as fast as before; a run that goes on waits only where it had not gone further."""
        for count in range(STUBBORN):
            key = f"{place} {count}"
            known, further = (("round", one) in journal.entries for one in (key, following))
            patient = len(found.waits) < limits.patience * measurements
            if not known and (further or not (disturbed and patient)):
                return
            again = _once(key, control, journal, measure)
            if not isinstance(again, Measured):  # its next round says so, if it does not work any more
                return
            yield again
        steady.forget()

    while found.rounds < limits.least or (found.rounds < limits.most and _too_wide(found, limits.width)):
        number = found.rounds
        expected = max(limits.least, number + 1) * (len(requests) + 1)
        for place, name in enumerate((CONTROL, *Random(number).sample(list(requests), len(requests)))):
            if name not in found.failures:
                key = f"{number} {name}"
                for again in waited(f"{number} wait {place}", key):
                    if waiting is not None and not found.waits:
                        waiting()
                    disturbed = steady.disturbed(CONTROL, round_median_ms(again.whole_ns))
                    if last == CONTROL:  # the round's control is the one that is nearest to its rows
                        found.waits.append(found.control.pop())
                        found.control.append(again)
                    else:
                        found.waits.append(again)
                outcome = _once(key, control if name == CONTROL else requests[name], journal, measure)
                _take(found, name, outcome)
                measurements += 1
                last = name
                disturbed = isinstance(outcome, Measured) and steady.note(name, round_median_ms(outcome.whole_ns))
            made += 1
            if progress is not None:
                progress(made, expected)
        found.rounds += 1
    return found


def _take(found: Measurements, name: str, outcome: Measured | FcnEdgeError) -> None:
    if isinstance(outcome, Measured):
        (found.control if name == CONTROL else found.rows[name]).append(outcome)
    elif name == CONTROL:
        raise outcome
    else:
        found.failures[name] = outcome


def _once(key: str, request: Request, journal: Journal, measure: Measure) -> Measured | FcnEdgeError:
    content = journal.entries.get(("round", key))
    if content is None:
        started = time.perf_counter()
        try:
            content = measure(request).to_json()
        except WorkerError as error:  # another time it may be measured: a resumed run tries again
            return error
        except FcnEdgeError as error:
            content = failure_of(error)
        journal.add("round", key, content, time.perf_counter() - started)
    return error_of(content) if "kind" in content else Measured.from_json(content)


def _too_wide(found: Measurements, width: float) -> bool:
    for name, rounds in found.rows.items():
        if name in found.failures:
            continue
        medians = [round_median_ms(one.whole_ns) for one in rounds]
        interval = median_interval(medians)
        if interval.high - interval.low > width * statistics.median(medians):
            return True
    return False
