"""A run in a few sentences, each with the numbers that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fcn_edge.bench.report.changes import decoder_changes, precision_changes
from fcn_edge.bench.report.confidence import interval_of, overlap
from fcn_edge.bench.report.labels import (
    comparable,
    data_of,
    frames_name,
    images_of,
    measured,
    on_processor,
    short_names,
)
from fcn_edge.bench.report.numbers import number, percent
from fcn_edge.bench.result import BenchResult, Distribution, Row

__all__ = ["DRIFTED", "headline", "summary_of"]

EQUAL = 0.001
"""mIoU that differs by no more than this counts as equal: 0.1 points."""

MOST_NAMED = 3
"""Rows that a sentence names; more are counted."""

DRIFTED = "The machine was not steady: times differ by more than their intervals show."
"""The first sentence on a run whose control moved too much."""


def headline(result: BenchResult) -> str:
    """What was measured on what, in a sentence."""
    states = Counter(row.state for row in result.rows)
    shaky = sum(bool(row.unstable) for row in result.rows)
    counted = f"{states['measured']} {'row' if states['measured'] == 1 else 'rows'} measured"
    counted += f" ({shaky} not steady)" if shaky else ""
    counted += "".join(f", {states[state]} {state}" for state in ("recorded", "absent", "failed") if states[state])
    rounds = f"{result.rounds} interleaved rounds of {result.frames_per_round} frames each"
    if result.rounds == 1:
        rounds = f"1 round of {result.frames_per_round} frames"
    threads = f"{'1 thread' if result.threads == 1 else f'{result.threads} threads'} for networks on the processor"
    end = f", {threads}" if on_processor(result.rows) else ""
    return f"{counted}, in {rounds} ({frames_name(result.frames)}){end}."


def summary_of(result: BenchResult) -> list[str]:
    """Sentences on the fastest row, the most accurate one, and what decoders and precisions cost and give.

    Only times of rows that this run measured, that are steady and that end in a mask are compared; two rows are a pair
    where they differ in nothing else. Where there is nothing to say, a sentence is left out. Where the machine was not
    steady, that is the first sentence, and no row is called the fastest.
    """
    ours = [row for row in measured(result.rows) if row.state == "measured"]
    names = short_names(ours) if ours else {}
    steady = comparable(result.rows)
    sentences = [DRIFTED] if result.unstable else []
    if len(ours) == 1:
        sentences.append(_only(ours[0], names))
    else:
        if not steady:
            sentences.append("No row of this run has steady times from frame to mask, so that none is compared.")
        elif not result.unstable:
            sentences.append(_fastest(ours, steady, names))
        sentences += _most_accurate(ours, names)
    return [*sentences, *_rendered(ours), *decoder_changes(steady), *precision_changes(steady)]


def _only(row: Row, names: dict[str, str]) -> str:
    times = _times(row)
    said = ", ".join(filter(None, (interval_of(times), "not steady" if row.unstable else "")))
    accuracy = f", {percent(row.accuracy.miou)}% mIoU on {images_of(row.accuracy)}" if row.accuracy else ""
    return f"{names[row.name]}: {number(times.p50)} ms from frame to mask{f' ({said})' if said else ''}{accuracy}."


def _fastest(ours: Sequence[Row], steady: Sequence[Row], names: dict[str, str]) -> str:
    """The fastest of the steady rows, and those that may be as fast because their intervals overlap its own."""
    ordered = sorted(steady, key=lambda row: _times(row).p50)
    row, times = ordered[0], _times(ordered[0])
    accuracy = f", at {percent(row.accuracy.miou)}% mIoU" if row.accuracy else ""
    interval = f" ({interval_of(times)})" if interval_of(times) else ""
    what = "Fastest" if len(ours) == len(steady) else "Fastest of the steady rows"
    text = f"{what}: {names[row.name]}, {number(times.p50)} ms from frame to mask{interval}{accuracy}"
    rivals = [other for other in ordered[1:] if overlap(times, _times(other))]
    if rivals:
        named = [f"{names[other.name]} ({number(_times(other).p50)} ms)" for other in rivals]
        text += f"; {_joined(named) if len(rivals) <= MOST_NAMED else f'{len(rivals)} other rows'} may be as fast"
    return text + "."


def _most_accurate(ours: Sequence[Row], names: dict[str, str]) -> list[str]:
    """Of all rows: a busy machine does not change masks."""
    scored = [row for row in ours if row.accuracy]
    if not scored or len({data_of(row) for row in scored}) > 1:
        return []
    best = max(scored, key=_miou)
    close = sorted((row for row in scored if _miou(best) - _miou(row) <= EQUAL + 1e-9), key=lambda row: _times(row).p50)
    alike = {percent(_miou(row)) for row in close} == {percent(_miou(best))} and len(close) <= MOST_NAMED
    named = close if alike else [best]
    assert best.accuracy is not None
    times = [f"{number(_times(row).p50)} ms{' (not steady)' if row.unstable else ''}" for row in named]
    text = (
        f"Most accurate: {_joined([names[row.name] for row in named])}, {percent(_miou(best))}% mIoU on "
        f"{images_of(best.accuracy)}, {_joined(times)}"
    )
    others = len(close) - len(named)
    if others:
        text += f"; {'1 other row is' if others == 1 else f'{others} other rows are'} within 0.1 points"
    return [text + "."]


def _rendered(ours: Sequence[Row]) -> list[str]:
    scored = [row.accuracy for row in ours if row.accuracy]
    rendered = [one for one in scored if one.rendered]
    if not rendered:
        return []
    what = "mIoU" if len(rendered) == len(scored) else "mIoU of some rows"
    return [f"{what} was measured on rendered images, which says nothing of real ones."]


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _times(row: Row) -> Distribution:
    assert row.end_to_end_ms is not None
    return row.end_to_end_ms


def _miou(row: Row) -> float:
    return row.accuracy.miou if row.accuracy else 0.0
