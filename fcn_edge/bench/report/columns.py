"""The columns of the table of rows: what each says, and the values that it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fcn_edge.bench.report.labels import backend_name, decoder_name, precision_name, size_name
from fcn_edge.bench.report.numbers import ABSENT, between, number, percent
from fcn_edge.bench.result import Distribution, Row

__all__ = ["COLUMNS", "Column", "columns_named", "columns_of", "statistic_of"]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        key: Its name in code.
        heading: Its heading, short.
        unit: Unit of its numbers; empty where they have none.
        says: What its figures are and include, in a sentence.
        value: What a row is sorted by; None where the row has no value.
        text: What stands in a row's cell.
        detail: What stands smaller beside it, such as an interval; empty for most.
    """

    key: str
    heading: str
    unit: str
    says: str
    value: Callable[[Row], float | str | None]
    text: Callable[[Row], str]
    detail: Callable[[Row], str] = lambda _: ""

    @property
    def numeric(self) -> bool:
        """Its cells are numbers, which stand to the right."""
        return self.key not in WORDS

    @property
    def timed(self) -> bool:
        """Its figures rest on the times of frames, which an unsteady machine spoils."""
        return self.key in TIMES

    @property
    def title(self) -> str:
        """Heading and unit in one line."""
        return f"{self.heading} ({self.unit})" if self.unit else self.heading


def columns_named(*keys: str) -> list[Column]:
    """Some of the columns by their keys, such as ``decoder`` and ``miou``, in that order.

    Raises:
        KeyError: There is no such column.
    """
    known = {column.key: column for column in COLUMNS}
    return [known[key] for key in keys]


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """The columns in which at least one of the rows has a value."""
    return [column for column in COLUMNS if any(column.value(row) not in (None, "") for row in rows)]


def _word(key: str, heading: str, says: str, text: Callable[[Row], str], value: Callable[[Row], float | str]) -> Column:
    return Column(key, heading, "", says, value, lambda row: text(row) or ABSENT)


def _figure(
    key: str,
    heading: str,
    unit: str,
    says: str,
    value: Callable[[Row], float | None],
    text: Callable[[float | None], str] = number,
    detail: Callable[[Row], str] = lambda _: "",
) -> Column:
    return Column(key, heading, unit, says, value, lambda row: text(value(row)), detail)


def statistic_of(times: Distribution | None, name: str) -> float | None:
    """A statistic of a row's times, such as ``p50``; no ``p99`` of so few frames that it is the slowest of them."""
    if times is None or (name == "p99" and times.frames < FRAMES_OF_P99):
        return None
    value: float = getattr(times, name)
    return value


def _interval(times: Distribution | None) -> str:
    return between(times.interval, times.p50) if times and times.confidence > 0 else ""


TIMES = frozenset({"end_to_end", "network", "p99", "throughput", "watts", "joules"})
WORDS = frozenset({"model", "decoder", "precision", "backend", "size", "ends", "library", "device", "digest"})

FRAMES_OF_P99 = 100

COLUMNS = (
    _word("model", "Model", "The model that ran.", lambda row: row.model, lambda row: row.model),
    _word(
        "decoder",
        "Decoder",
        "FCN-32s upsamples the class scores of stride 32; 16s and 8s add finer feature maps.",
        lambda row: decoder_name(row.decoder),
        lambda row: -row.stride if row.decoder else "",
    ),
    _word(
        "precision",
        "Precision",
        "Arithmetic of the network.",
        lambda row: precision_name(row.precision),
        lambda row: row.precision,
    ),
    _word(
        "backend", "Backend", "The library that ran it.", lambda row: backend_name(row.backend), lambda row: row.backend
    ),
    _word(
        "size",
        "Size",
        "Height and width of the network's input.",
        lambda row: size_name(row.size),
        lambda row: row.size[0] * row.size[1],
    ),
    _figure(
        "end_to_end",
        "End to end p50",
        "ms",
        "From the frame in memory to its result, one frame after the other: resizing, the network and decoding. "
        "Reading the frame is not in it. Median of the rounds' medians, with its interval.",
        lambda row: statistic_of(row.end_to_end_ms, "p50"),
        detail=lambda row: _interval(row.end_to_end_ms),
    ),
    _figure(
        "miou",
        "mIoU",
        "%",
        "Mean intersection over union of the classes that the labeled images of the run show.",
        lambda row: row.accuracy.miou if row.accuracy else None,
        percent,
    ),
    _figure(
        "of_fp32",
        "Of FP32",
        "%",
        "mIoU divided by that of the same weights and size in FP32.",
        lambda row: row.of_fp32,
        percent,
    ),
    _figure(
        "network",
        "Network p50",
        "ms",
        "The network alone, on an input that is ready: neither resizing nor decoding. Median of the rounds' medians.",
        lambda row: statistic_of(row.network_ms, "p50"),
    ),
    _figure(
        "p99",
        "End to end p99",
        "ms",
        "What 99 of 100 frames of all rounds do not exceed, end to end. A dash where there were fewer than 100 frames.",
        lambda row: statistic_of(row.end_to_end_ms, "p99"),
    ),
    _figure(
        "throughput",
        "Throughput",
        "fps",
        "Frames per second while several frames overlap; frames come from memory, masks are dropped.",
        lambda row: row.throughput.fps if row.throughput else None,
    ),
    _figure(
        "watts",
        "Power",
        "W",
        "Mean power while the row ran.",
        lambda row: row.power.watts if row.power else None,
    ),
    _figure(
        "joules",
        "Energy",
        "J/frame",
        "Energy divided by the frames that were processed meanwhile.",
        lambda row: row.power.joules_per_frame if row.power else None,
    ),
    _figure(
        "memory",
        "Memory",
        "MB",
        "Peak memory of a process that only loads and runs the model. It is the processor's: a GPU's memory is not in "
        "it.",
        lambda row: row.memory_mb,
    ),
    _figure("engine", "Engine", "MB", "Size of the files that are loaded.", lambda row: row.engine_mb),
    _figure(
        "load",
        "Load",
        "s",
        "From the files to the first mask, in a new process.",
        lambda row: row.load_seconds,
    ),
)
"""All columns, in the table's order."""
