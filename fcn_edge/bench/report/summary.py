"""A run in a few sentences, each with the numbers that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from fcn_edge.bench.report.labels import (
    backend_name,
    comparable,
    decoder_name,
    encoder_name,
    images_of,
    measured,
    precision_name,
    short_names,
    size_name,
)
from fcn_edge.bench.report.numbers import between, number, percent, points, signed, span
from fcn_edge.bench.result import BenchResult, Distribution, Row

__all__ = ["headline", "summary_of"]

Pair = tuple[Row, Row]


def headline(result: BenchResult) -> str:
    """What was measured on what, in a sentence."""
    states = Counter(row.state for row in result.rows)
    shaky = sum(bool(row.unstable) for row in result.rows)
    counted = f"{states['measured']} {'row' if states['measured'] == 1 else 'rows'} measured"
    counted += f" ({shaky} not steady)" if shaky else ""
    counted += "".join(f", {states[state]} {state}" for state in ("recorded", "absent", "failed") if states[state])
    rounds = "1 round" if result.rounds == 1 else f"{result.rounds} interleaved rounds"
    return (
        f"{counted}, in {rounds} of {result.frames_per_round} frames each ({result.frames}), "
        f"{'1 thread' if result.threads == 1 else f'{result.threads} threads'} for networks on the processor."
    )


def summary_of(result: BenchResult) -> list[str]:
    """Sentences on the fastest row, the most accurate one, and what decoders and precisions cost and give.

    Only times of rows that this run measured, that are steady and that end in a mask are compared; two rows are a pair
    where they differ in nothing else. Where there is nothing to say, a sentence is left out.
    """
    ours = [row for row in measured(result.rows) if row.state == "measured"]
    names = short_names(ours) if ours else {}
    rows = comparable(result.rows)
    accurate = _most_accurate(ours, names)
    if not rows:
        return ["No row of this run has steady times from frame to mask, so that none is compared.", *accurate]
    return [_fastest(ours, rows, names), *accurate, *_decoders(rows), *_precisions(rows)]


def _fastest(ours: Sequence[Row], steady: Sequence[Row], names: dict[str, str]) -> str:
    row = min(steady, key=lambda row: _times(row).p50)
    times = _times(row)
    accuracy = f", at {percent(row.accuracy.miou)}% mIoU" if row.accuracy else ""
    interval = f" ({_confidence(times)}: {between(times.interval, times.p50)} ms)" if times.confidence > 0 else ""
    what = "Fastest" if len(ours) == len(steady) else "Fastest of the steady rows"
    return f"{what}: {names[row.name]}, {number(times.p50)} ms from frame to mask{interval}{accuracy}."


def _most_accurate(ours: Sequence[Row], names: dict[str, str]) -> list[str]:
    """Of all rows: a busy machine does not change masks."""
    scored = [row for row in ours if row.accuracy]
    if not scored or len({_data_of(row) for row in scored}) > 1:
        return []
    row = max(scored, key=lambda row: row.accuracy.miou if row.accuracy else 0.0)
    assert row.accuracy is not None
    return [
        f"Most accurate: {names[row.name]}, {percent(row.accuracy.miou)}% mIoU on {images_of(row.accuracy)}, "
        f"{number(_times(row).p50)} ms{' (not steady)' if row.unstable else ''}."
    ]


def _decoders(rows: Sequence[Row]) -> list[str]:
    pairs = _pairs(rows, lambda row: (row.encoder, row.precision, row.backend, row.size), "decoder", "fcn32s", "fcn8s")
    if not pairs:
        return []
    coarse, fine = pairs[0]
    parts = [encoder_name(fine.encoder), precision_name(fine.precision), size_name(fine.size)]
    where = ", ".join(filter(None, [*parts, backend_name(fine.backend)]))
    text = f"{decoder_name('fcn8s')} against {decoder_name('fcn32s')} ({where}): {_change(coarse, fine)}"
    return [text + _others(pairs)]


def _precisions(rows: Sequence[Row]) -> list[str]:
    sentences = []
    for precision in ("fp16", "int8"):
        pairs = _pairs(rows, lambda row: (row.model, row.backend, row.size), "precision", "fp32", precision)
        if pairs:
            row = pairs[0][1]
            where = ", ".join((decoder_name(row.decoder) or row.model, size_name(row.size), backend_name(row.backend)))
            sentences.append(f"{precision.upper()} against FP32 ({where}): {_change(*pairs[0])}{_others(pairs)}")
    return sentences


def _pairs(rows: Sequence[Row], alike: Callable[[Row], object], attribute: str, before: str, after: str) -> list[Pair]:
    """Pairs of rows that are alike but for one attribute, which is ``before`` in one and ``after`` in the other."""
    found = []
    for one in rows:
        if getattr(one, attribute) == before:
            found += [
                (one, other) for other in rows if getattr(other, attribute) == after and alike(one) == alike(other)
            ]
    return [(one, other) for one, other in found if one.frame_size == other.frame_size and one.device == other.device]


def _change(before: Row, after: Row) -> str:
    """What differs between two rows, with both numbers each time."""
    old, new = _times(before), _times(after)
    text = f"{number(new.p50)} ms instead of {number(old.p50)} ms ({signed(new.p50 - old.p50, new.p50)})"
    if old.interval[0] <= new.interval[1] and new.interval[0] <= old.interval[1]:
        text += ", their intervals overlap"
    if _both_scored(before, after):
        assert before.accuracy is not None
        assert after.accuracy is not None
        text += (
            f", {percent(after.accuracy.miou)}% mIoU instead of {percent(before.accuracy.miou)}% "
            f"({points(after.accuracy.miou - before.accuracy.miou)} points)"
        )
    return text + "."


def _others(pairs: Sequence[Pair]) -> str:
    """The range over all pairs, where there are several."""
    if len(pairs) < 2:
        return ""
    times = sorted(_times(after).p50 - _times(before).p50 for before, after in pairs)
    smallest = min(_times(after).p50 for _, after in pairs)
    text = f" Over all {len(pairs)} such pairs: {span([signed(value, smallest) for value in times])} ms"
    gains = sorted(
        after.accuracy.miou - before.accuracy.miou
        for before, after in pairs
        if before.accuracy and after.accuracy and _both_scored(before, after)
    )
    if gains:
        text += f", {span([points(value) for value in gains])} points of mIoU"
    return text + "."


def _both_scored(before: Row, after: Row) -> bool:
    return bool(before.accuracy and after.accuracy and _data_of(before) == _data_of(after))


def _data_of(row: Row) -> tuple[str, str, int] | None:
    """The images on which a row was scored: shares of different ones do not compare."""
    return (row.accuracy.dataset, row.accuracy.split, row.accuracy.images) if row.accuracy else None


def _times(row: Row) -> Distribution:
    assert row.end_to_end_ms is not None
    return row.end_to_end_ms


def _confidence(times: Distribution) -> str:
    return f"{100 * times.confidence:.0f}% interval"
