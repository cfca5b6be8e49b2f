"""What became of a check: a line of JSON for programs, one of text for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from gpu.subject import Row

__all__ = ["as_json", "failures", "judged", "text"]


def as_json(row: Row) -> str:
    """A line of strict JSON: what is no finite number, for which JSON has no word, becomes null."""
    return json.dumps(_finite(row), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def judged(check: str, rows: Sequence[Row], problem: str, seconds: float) -> Row:
    """A check's line.

    Args:
        check: Its name.
        rows: What it found.
        problem: How its process ended, in a sentence; empty where that was well.
        seconds: How long it took.

    Returns:
        ``verdict`` is ``agrees``, ``disagrees``, ``absent`` (nothing could be looked at) or ``ended`` (it did not come
        to its end by itself).
    """
    if problem:
        verdict = "ended"
    elif any(row.get("agree") is False for row in rows):
        verdict = "disagrees"
    elif all("absent" in row for row in rows):
        verdict = "absent"
    else:
        verdict = "agrees"
    line: Row = {"check": check, "verdict": verdict, "seconds": round(seconds, 2), "rows": list(rows)}
    return line | ({"problem": problem} if problem else {})


def failures(lines: Sequence[Row]) -> list[str]:
    """A sentence for all that is wrong in the lines of a run."""
    return list(_failures(lines))


def _failures(lines: Sequence[Row]) -> Iterator[str]:
    for line in lines:
        name = f"{line['provider']}, {line['check']}" if "provider" in line else line["check"]
        for row in line.get("rows", ()):
            if row.get("agree") is False:
                yield f"{name}: {row['failed']}"
        if line.get("problem"):
            yield f"{name}: {line['problem']}"


def text(line: Row) -> Iterator[str]:
    """A line for people, and one for each row that says something by itself."""
    yield f"{line['check']:12} {line['verdict']:10} {line['seconds']:7.1f} s"
    for row in line["rows"]:
        if "failed" in row:
            yield f"  {row['failed']}"
        elif "absent" in row:
            yield f"  absent: {row['absent']}"
        elif "times_copy" in row:
            low, high = row.get("expected_times_copy", (None, None))
            expected = f" (expected: {low:g} to {high:g})" if low else ""
            yield (
                f"  {row['kernel']:15} {row['us_a_frame']:9.2f} us a frame, {row['times_copy']:.2f} times a copy"
                f"{expected}: {row['input']}, {row['frame'][0]}x{row['frame'][1]}"
            )
        elif "speed" in row and "gpu_ms" in row:
            yield from _speeds(row)
    if line.get("problem"):
        yield f"  {line['problem']}"


def _speeds(row: Row) -> Iterator[str]:
    """How fast a session is, or an engine with a graph and without."""
    if "backend" not in row:
        name = f"session {'with' if row['graph'] else 'without'} a graph"
        yield f"  {name}: {row['speed']['end_to_end_ms']:.3f} ms a frame{_divided(row['gpu_ms'])}"
        return
    for kind, speed in row["speed"].items():
        yield (
            f"  {row['backend']} {row['precision']}, {kind}: network {speed['network_ms']:.2f} ms, whole "
            f"{speed['end_to_end_ms']:.2f} ms{_divided(row['gpu_ms'][kind])}; {row['masks'][kind]}"
        )


def _divided(gpu_ms: Row | None) -> str:
    """What of a frame is spent where; empty on a processor."""
    if gpu_ms is None:
        return ""
    names = {"host_to_device": "H2D", "compute": "compute", "device_to_host": "D2H", "enqueue": "enqueue"}
    told = (f"{name} {'none' if gpu_ms[key] is None else format(gpu_ms[key], '.3f')}" for key, name in names.items())
    return f" ({', '.join(told)})"
