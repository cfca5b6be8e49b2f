"""The record as the tables of ``benchmarks/README.md``."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.kernel_record.machine_code import Code
from benchmarks.kernel_record.record import Record
from fcn_edge.bench.report.markdown import table_of_cells
from tests.ops.counting_emulator import SECTOR

__all__ = ["code_table", "loads_table"]


def code_table(record: Record) -> str:
    """A row for each entry; numbers that differ between the architectures stand in their order."""
    rows = [
        [entry, *_cells([entries[entry] for entries in record.code.values()])]
        for entry in next(iter(record.code.values()))
    ]
    memory = ["stack and spills (bytes)", "global loads by bits"]
    header = ["kernel", "registers", "instructions", "integer divisions", *memory]
    closing = f"*For {', '.join(record.code)}, by {record.compiler} and {record.disassembler}.*"
    return f"{table_of_cells(header, rows, 1)}\n\n{closing}\n"


def _cells(codes: list[Code]) -> list[str]:
    widths = sorted({bits for code in codes for bits in code.loads})
    return [
        _numbers(code.registers for code in codes),
        _numbers(code.instructions for code in codes),
        _numbers(code.divisions for code in codes),
        _numbers(code.stack + code.spill_stores + code.spill_loads for code in codes),
        ", ".join(f"{bits}: {_numbers(code.loads.get(bits, 0) for code in codes)}" for bits in widths),
    ]


def _numbers(numbers: Iterable[int]) -> str:
    texts = list(map(str, numbers))
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def loads_table(record: Record) -> str:
    """A row for each case: bytes and sectors as multiples of what the kernel reads."""
    rows = [
        [
            case,
            f"{loads.source_bytes / 1e6:.2f}",
            f"{loads.bytes / loads.source_bytes:.2f}",
            f"{loads.sectors * SECTOR / loads.source_bytes:.1f}",
            str(loads.warp_loads),
        ]
        for case, loads in record.loads.items()
    ]
    shares = [f"{what} / source bytes" for what in ("bytes loaded", "bytes of touched sectors")]
    header = ["kernel, rows x columns", "source (MB)", *shares, "loads by warps"]
    return f"{table_of_cells(header, rows, 1)}\n"
