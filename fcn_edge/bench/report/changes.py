"""What a finer decoder or a coarser precision costs and gives, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fcn_edge.bench.report.confidence import overlap
from fcn_edge.bench.report.labels import (
    backend_name,
    data_of,
    decoder_name,
    encoder_name,
    precision_name,
    size_name,
)
from fcn_edge.bench.report.numbers import number, percent, points, signed, span
from fcn_edge.bench.result import Distribution, Row

__all__ = ["decoder_changes", "precision_changes"]

Pair = tuple[Row, Row]

FINE = 1.5
"""Factors below this have two decimals."""


def decoder_changes(rows: Sequence[Row]) -> list[str]:
    """FCN-8s against FCN-32s, where rows differ in nothing else; empty where there are no such rows."""
    pairs = _pairs(rows, lambda row: (row.encoder, row.precision, row.backend, row.size), "decoder", "fcn32s", "fcn8s")
    if not pairs:
        return []
    row = pairs[0][1]
    where = _listed(
        encoder_name(row.encoder), precision_name(row.precision), size_name(row.size), backend_name(row.backend)
    )
    text = f"{decoder_name('fcn8s')} against {decoder_name('fcn32s')} ({where}): {_change(*pairs[0])}"
    return [text + _others(pairs)]


def precision_changes(rows: Sequence[Row]) -> list[str]:
    """FP16 and INT8 against FP32 of the same weights, where rows differ in nothing else."""
    sentences = []
    for precision in ("fp16", "int8"):
        pairs = _pairs(rows, lambda row: (row.digest, row.backend, row.size), "precision", "fp32", precision)
        if pairs:
            row = pairs[0][1]
            net = (encoder_name(row.encoder), decoder_name(row.decoder)) if row.decoder else (row.model,)
            where = _listed(*net, size_name(row.size), backend_name(row.backend))
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
    close = "; their intervals overlap" if overlap(old, new) else ""
    text = f"{number(new.p50)} ms instead of {number(old.p50)} ms ({signed(new.p50 - old.p50, new.p50)}{close})"
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
    text = f" Over all {len(pairs)} such pairs: {_factors([_times(one).p50 / _times(two).p50 for one, two in pairs])}"
    gains = sorted(
        after.accuracy.miou - before.accuracy.miou
        for before, after in pairs
        if before.accuracy and after.accuracy and _both_scored(before, after)
    )
    if gains:
        text += f", {span([points(value) for value in gains])} points of mIoU"
    return text + "."


def _factors(speeds: Sequence[float]) -> str:
    """By which factors rows are faster, or how many times as long they take where all are slower."""
    slower = all(speed < 1 for speed in speeds)
    values = sorted(1 / speed if slower else speed for speed in speeds)
    decimals = 2 if values[0] < FINE else 1
    text = span([f"{value:.{decimals}f}" for value in values])
    return f"{text} times as {'long' if slower else 'fast'}"


def _both_scored(before: Row, after: Row) -> bool:
    return bool(before.accuracy and after.accuracy and data_of(before) == data_of(after))


def _times(row: Row) -> Distribution:
    assert row.end_to_end_ms is not None
    return row.end_to_end_ms


def _listed(*words: str) -> str:
    return ", ".join(filter(None, words))
