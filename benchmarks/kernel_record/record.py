"""The record: what was measured of every kernel, as ``benchmarks/results/kernels.json`` keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.kernel_record.loads import CASES, loads_of
from benchmarks.kernel_record.machine_code import ARCHITECTURES, Code, Elf, codes
from benchmarks.kernel_record.toolchain import OPTIONS, Toolchain
from tests.ops.counting_emulator import CountingEmulator, Loads

__all__ = ["COMMAND", "RESULTS", "Record", "measured", "read_record", "record_text"]

COMMAND = "python -m benchmarks.kernel_record"
RESULTS = Path(__file__).resolve().parents[1] / "results" / "kernels.json"


@dataclass(frozen=True)
class Record:
    """Numbers of all kernels.

    Attributes:
        compiler: Name and version.
        disassembler: Name and version.
        options: Of the compiler.
        elf: What drivers look at; the same in all files.
        code: Machine code by architecture and entry.
        loads: What is loaded by case, of ``CASES``.
    """

    compiler: str
    disassembler: str
    options: tuple[str, ...]
    elf: Elf
    code: dict[str, dict[str, Code]]
    loads: dict[str, Loads]


def measured(
    tools: Toolchain, folder: Path, architectures: Iterable[str] = ARCHITECTURES, cases: Iterable[str] = tuple(CASES)
) -> Record:
    """Compile and run the kernels of today.

    Args:
        tools: Compiler and disassembler.
        folder: For what is compiled.
        architectures: To compile for; not empty.
        cases: To run on the host.
    """
    code, headers = {}, set()
    for architecture in architectures:
        code[architecture], found = codes(tools, architecture, folder)
        headers |= found
    (elf,) = headers
    emulator = CountingEmulator(folder)
    return Record(
        compiler=f"nvcc {tools.nvcc_version}",
        disassembler=f"nvdisasm {tools.nvdisasm_version}",
        options=OPTIONS,
        elf=elf,
        code=code,
        loads={case: loads_of(emulator, case) for case in cases},
    )


def record_text(record: Record) -> str:
    """A record as JSON, an entry or case a line, so that a change is read in the differences of two versions."""
    content = {"command": COMMAND, **asdict(record)}
    code = {architecture: content["code"].pop(architecture) for architecture in list(content["code"])}
    lines = [f"  {json.dumps(key)}: {json.dumps(content[key])}," for key in content if key not in {"code", "loads"}]
    blocks = [f"    {json.dumps(name)}: {{\n{_rows(entries, 6)}\n    }}" for name, entries in code.items()]
    lines += ['  "code": {', ",\n".join(blocks), "  },", '  "loads": {', _rows(content["loads"], 4), "  }"]
    return "\n".join(["{", *lines, "}"]) + "\n"


def _rows(content: dict[str, Any], indent: int) -> str:
    return ",\n".join(f"{' ' * indent}{json.dumps(name)}: {json.dumps(row)}" for name, row in content.items())


def read_record(path: Path = RESULTS) -> Record:
    """The record of a file that ``record_text`` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Record(
        compiler=content["compiler"],
        disassembler=content["disassembler"],
        options=tuple(content["options"]),
        elf=Elf(**content["elf"]),
        code={
            architecture: {entry: _code(row) for entry, row in rows.items()}
            for architecture, rows in content["code"].items()
        },
        loads={case: Loads(**row) for case, row in content["loads"].items()},
    )


def _code(row: dict[str, Any]) -> Code:
    widths = {name: {int(bits): count for bits, count in row[name].items()} for name in ("loads", "stores")}
    return Code(**{**row, **widths})
