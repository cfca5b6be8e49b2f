"""Whether kernels got worse than their record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.kernel_record.machine_code import Code, Widths
from benchmarks.kernel_record.record import COMMAND, Record
from tests.ops.counting_emulator import Loads

__all__ = ["ADVICE", "SLACK", "worse", "worse_code", "worse_loads"]

SLACK = 1.1
"""By how much a number may grow: kernels change for reasons, and a few instructions are none to argue about."""

ADVICE = f"If it must be so, write the record anew: {COMMAND} && python -m benchmarks.published_tables"
"""For who changed a kernel."""


def worse(record: Record, now: Record) -> list[str]:
    """A line for each number that is worse than the record's, and for what only one of them has.

    Registers, lengths, divisions and loads may grow by ``SLACK``; stack frames and spills may not grow, and loads from
    global memory may not get narrower. What got better is not told.

    Args:
        record: The record.
        now: What was measured now, of some architectures and cases or of all.
    """
    names = ("compiler", "disassembler", "options", "elf")
    found = [(name, getattr(record, name), getattr(now, name)) for name in names]
    headers = [f"{name}: {new}, and the record was made with {old}" for name, old, new in found if old != new]
    return [*headers, *worse_code(record.code, now.code), *worse_loads(record.loads, now.loads)]


def worse_code(record: Mapping[str, dict[str, Code]], now: Mapping[str, dict[str, Code]]) -> list[str]:
    """The lines on machine code, by architecture and entry, of the architectures that were compiled for now."""
    lines = []
    for architecture, entries in now.items():
        recorded = record.get(architecture, {})
        for entry in sorted(entries.keys() | recorded.keys()):
            if entry in entries and entry in recorded:
                found = list(_code(recorded[entry], entries[entry]))
            else:
                found = ["not in the record" if entry in entries else "only in the record"]
            lines += [f"{entry} for {architecture}: {line}" for line in found]
    return lines


def worse_loads(record: Mapping[str, Loads], now: Mapping[str, Loads]) -> list[str]:
    """The lines on what is loaded, by case, of the cases that were run now."""
    lines = []
    for case, loads in now.items():
        found = list(_loads(record[case], loads)) if case in record else ["not in the record"]
        lines += [f"{case}: {line}" for line in found]
    return lines


def _code(record: Code, now: Code) -> Iterator[str]:
    for name in ("registers", "instructions", "divisions", "shared"):
        yield from _grown(name, getattr(record, name), getattr(now, name), SLACK)
    for name in ("stack", "spill_stores", "spill_loads"):
        yield from _grown(name, getattr(record, name), getattr(now, name), 1)
    if _narrower(record.loads, now.loads):
        yield f"loads from global memory got narrower: by bits {now.loads}, in the record {record.loads}"


def _narrower(record: Widths, now: Widths) -> bool:
    """Whether there is a narrower load than before, or loads are narrower on average."""
    return bool(record and now) and (min(now) < min(record) or _mean(now) * SLACK < _mean(record))


def _mean(widths: Widths) -> float:
    return sum(bits * count for bits, count in widths.items()) / sum(widths.values())


def _loads(record: Loads, now: Loads) -> Iterator[str]:
    for name in ("bytes", "warp_loads", "sectors"):
        yield from _grown(name, getattr(record, name), getattr(now, name), SLACK)


def _grown(name: str, was: int, now: int, slack: float) -> Iterator[str]:
    if now > was * slack:
        yield f"{name} grew from {was} to {now}"
