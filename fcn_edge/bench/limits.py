"""Limits that a row must meet, such as frames per second or watts, and what each row has of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fcn_edge.bench.result import Row

__all__ = ["Limit", "Wanted", "limits_of"]


@dataclass(frozen=True)
class Wanted:
    """What a user asks for; None is no limit.

    Attributes:
        fps: Least throughput in frames per second; the lower end of a row's interval counts.
        latency_ms: Most time from frame to mask, in milliseconds, which 99% of the frames must keep.
        max_drop: mIoU that may be lost compared with the most accurate row, as a fraction.
        min_miou: Least mIoU, as a fraction.
        max_watts: Most power.
        max_memory_mb: Most memory, in 10^6 bytes.
    """

    fps: float | None = None
    latency_ms: float | None = None
    max_drop: float | None = None
    min_miou: float | None = None
    max_watts: float | None = None
    max_memory_mb: float | None = None


@dataclass(frozen=True)
class Limit:
    """One limit, as a bound of one value.

    Attributes:
        option: Option of the command line, with its value.
        asked: What is asked, to end a sentence that begins with a row.
        bound: The least or the most value.
        least: It is the least.
        value: A row's value; None where it was not measured.
        text: A value with its unit.
        unknown: What was not measured of rows that have no value.
    """

    option: str
    asked: str
    bound: float
    least: bool
    value: Callable[[Row], float | None]
    text: Callable[[float], str]
    unknown: str

    def met_by(self, row: Row) -> bool:
        """Whether a row is within the limit; one without the value is not."""
        value = self.value(row)
        if value is None:
            return False
        return value >= self.bound - 1e-9 if self.least else value <= self.bound + 1e-9

    def nearest(self, rows: Sequence[Row]) -> Row | None:
        """The row that comes nearest to it, or exceeds it most; None where none has the value."""
        known = [(value, row) for row in rows if (value := self.value(row)) is not None]
        if not known:
            return None
        return (max if self.least else min)(known, key=lambda one: one[0])[1]


def limits_of(wanted: Wanted, best_miou: float | None) -> list[Limit]:
    """The limits that were asked for.

    Args:
        wanted: What was asked for.
        best_miou: mIoU of the most accurate row, which drops are counted from; None where no row has any.
    """
    found = []
    if wanted.fps is not None:
        asked = f"at least {wanted.fps:g} fps"
        found.append(Limit(f"--fps {wanted.fps:g}", asked, wanted.fps, True, _fps, _fps_text, "throughput"))
    if wanted.latency_ms is not None:
        asked = f"at most {wanted.latency_ms:g} ms for 99% of the frames"
        option = f"--latency {wanted.latency_ms:g}"
        found.append(Limit(option, asked, wanted.latency_ms, False, _p99, lambda x: f"{x:.1f} ms", "latency"))
    if wanted.min_miou is not None:
        asked = f"mIoU of at least {wanted.min_miou:.1%}"
        found.append(Limit(f"--min-miou {wanted.min_miou:g}", asked, wanted.min_miou, True, _miou, _share, "accuracy"))
    if wanted.max_drop is not None:
        bound = (best_miou or 0.0) - wanted.max_drop
        asked = f"mIoU of at least {bound:.1%}"
        found.append(Limit(f"--max-drop {wanted.max_drop:g}", asked, bound, True, _miou, _share, "accuracy"))
    if wanted.max_watts is not None:
        asked = f"at most {wanted.max_watts:g} W"
        option = f"--max-watts {wanted.max_watts:g}"
        found.append(Limit(option, asked, wanted.max_watts, False, _watts, lambda x: f"{x:.1f} W", "power"))
    if wanted.max_memory_mb is not None:
        asked = f"at most {wanted.max_memory_mb:g} MB"
        option = f"--max-memory {wanted.max_memory_mb:g}"
        found.append(Limit(option, asked, wanted.max_memory_mb, False, _memory, lambda x: f"{x:.0f} MB", "memory"))
    return found


def _fps_text(value: float) -> str:
    return f"{value:.1f} fps (lower end of its interval)"


def _share(value: float) -> str:
    return f"mIoU {value:.1%}"


def _fps(row: Row) -> float | None:
    return row.throughput.interval[0] if row.throughput else None


def _p99(row: Row) -> float | None:
    return row.end_to_end_ms.p99 if row.end_to_end_ms else None


def _miou(row: Row) -> float | None:
    return row.accuracy.miou if row.accuracy else None


def _watts(row: Row) -> float | None:
    return row.power.watts if row.power else None


def _memory(row: Row) -> float | None:
    return row.memory_mb
