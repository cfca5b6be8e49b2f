"""IU of each class by decoder, where decoders differ in nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.bench.report.labels import backend_name, data_of, encoder_name, images_of, precision_name, size_name
from fcn_edge.bench.result import Row

__all__ = ["PerClass", "per_class_of"]


@dataclass(frozen=True)
class PerClass:
    """IU of each class by decoder.

    Attributes:
        caption: Encoder, precision, size, backend and images, which are the same for all, in a sentence.
        decoders: The decoders, the coarsest first.
        shares: Name of each class and its IU by decoder, 0 to 1; None where the class does not occur.
        gains: What the finest decoder gains over the coarsest, by class; empty for a single decoder.
    """

    caption: str
    decoders: tuple[str, ...]
    shares: tuple[tuple[str, tuple[float | None, ...]], ...]
    gains: tuple[float | None, ...]


def per_class_of(rows: Sequence[Row]) -> PerClass | None:
    """The IU of each class from the rows that cover the most decoders and differ in nothing else.

    Of several such sets of rows FP32 comes first, then the one with the most pixels, then the first in the suite.
    None where no row has an accuracy and a decoder.
    """
    groups: dict[tuple[object, ...], dict[int, Row]] = {}
    for row in rows:
        if row.accuracy and row.decoder and row.accuracy.per_class:
            key = (row.encoder, row.precision, row.size, row.backend, data_of(row))
            groups.setdefault(key, {}).setdefault(row.stride, row)
    if not groups:
        return None
    chosen = max(groups.values(), key=_rank)
    ordered = [chosen[stride] for stride in sorted(chosen, reverse=True)]
    records = [row.accuracy for row in ordered if row.accuracy]
    names = dict.fromkeys(name for record in records for name in record.per_class)
    shares = tuple((name, tuple(record.per_class.get(name) for record in records)) for name in names)
    gains = tuple(_gain(values) for _, values in shares) if len(records) > 1 else ()
    return PerClass(_caption(ordered[0], records[0]), tuple(row.decoder for row in ordered), shares, gains)


def _rank(group: dict[int, Row]) -> tuple[int, bool, int]:
    row = next(iter(group.values()))
    return len(group), row.precision == "fp32", row.size[0] * row.size[1]


def _gain(values: Sequence[float | None]) -> float | None:
    first, last = values[0], values[-1]
    return None if first is None or last is None else last - first


def _caption(row: Row, record: AccuracyRecord) -> str:
    parts = (encoder_name(row.encoder), precision_name(row.precision), size_name(row.size), backend_name(row.backend))
    return f"{', '.join(filter(None, parts))}; {images_of(record)}."
