"""Each kernel's machine code in numbers: registers, memory, length, and how wide its loads and stores are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kernel_record.toolchain import Toolchain, compiled, disassembled
from fcn_edge.ops.kernels import KERNELS, kernel_source

__all__ = ["ARCHITECTURES", "Code", "Elf", "code_of", "codes", "elf_of"]

ARCHITECTURES = ("sm_87", "sm_89", "sm_90", "sm_110")
"""Jetson Orin, Ada, H100, Jetson Thor."""

_RESOURCES = re.compile(
    r"Compiling entry function '(?P<entry>\w+)'[^\n]*\n[^\n]*Function properties[^\n]*\n"
    r"\s*(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads\n"
    r"[^\n]*Used (?P<registers>\d+) registers(?:[^\n]*?(?P<shared>\d+) bytes smem)?"
)
_SECTION = re.compile(r"^\.text\.(\w+):\n(.*?)(?=^//-{5}|\Z)", re.MULTILINE | re.DOTALL)
_INSTRUCTION = re.compile(r"/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?\s*([A-Z][\w.]*)")
_WIDTH = re.compile(r"\.[US]?(8|16|64|128|256)\b")
_WORD_BITS = 32
_DIVISION = re.compile(r"I2F\.(?:\w+\.)*RP$")

Widths = dict[int, int]
"""Bits of an access -> how many instructions access so many."""


@dataclass(frozen=True)
class Code:
    """An entry, compiled for one architecture.

    Attributes:
        registers: Of a thread.
        stack: Bytes of local memory of a thread.
        spill_stores: Bytes that a thread writes to local memory because registers are short.
        spill_loads: Bytes that it reads back.
        shared: Bytes of shared memory that a block takes beside what the launch asks for.
        instructions: Length of the machine code, without the NOPs behind it.
        divisions: Integer divisions, each of some 20 instructions, told by the reciprocal that they begin with.
        loads: Loads from global memory, by width.
        stores: Stores to global memory, by width.
    """

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    instructions: int
    divisions: int
    loads: Widths
    stores: Widths


@dataclass(frozen=True)
class Elf:
    """What a driver looks at before it takes machine code: two bytes of the ELF header."""

    os_abi: int
    abi_version: int


def codes(tools: Toolchain, architecture: str, folder: Path) -> tuple[dict[str, Code], set[Elf]]:
    """Every entry of every kernel file, compiled for an architecture, and the headers of their files.

    Args:
        tools: Compiler and disassembler.
        architecture: One of ``ARCHITECTURES``.
        folder: For what is compiled.
    """
    found, headers = {}, set()
    for kernel in KERNELS:
        cubin = folder / f"{kernel}-{architecture}.cubin"
        found |= code_of(tools, kernel_source(kernel), architecture, cubin)
        headers.add(elf_of(cubin.read_bytes()))
    return found, headers


def code_of(tools: Toolchain, source: str, architecture: str, cubin: Path) -> dict[str, Code]:
    """The entries of a source by name; ``cubin`` keeps their machine code."""
    resources = {found["entry"]: found for found in _RESOURCES.finditer(compiled(tools, source, architecture, cubin))}
    sections = dict(_SECTION.findall(disassembled(tools, cubin)))
    if not resources or resources.keys() != sections.keys():
        raise ValueError(f"The assembler tells of {sorted(resources)}, the disassembler of {sorted(sections)}.")
    return {entry: _code(resources[entry], sections[entry]) for entry in sorted(resources)}


def _code(resources: re.Match[str], text: str) -> Code:
    instructions = [one for one in _INSTRUCTION.findall(text) if one != "NOP"]
    return Code(
        registers=int(resources["registers"]),
        stack=int(resources["stack"]),
        spill_stores=int(resources["stores"]),
        spill_loads=int(resources["loads"]),
        shared=int(resources["shared"] or 0),
        instructions=len(instructions),
        divisions=sum(_DIVISION.match(one) is not None for one in instructions),
        loads=_widths(instructions, ("LDG", "LDGSTS", "LD")),
        stores=_widths(instructions, ("STG", "ST")),
    )


def _widths(instructions: Iterable[str], names: tuple[str, ...]) -> Widths:
    """Accesses by width. ``LD`` and ``ST``, whose address may be of any memory, count as well."""
    widths: Counter[int] = Counter()
    for one in instructions:
        if one.split(".")[0] in names:
            width = _WIDTH.search(one)
            widths[int(width[1]) if width else _WORD_BITS] += 1
    return dict(sorted(widths.items()))


def elf_of(cubin: bytes) -> Elf:
    """The two bytes of a file's header.

    Raises:
        ValueError: It is no ELF file.
    """
    if cubin[:4] != b"\x7fELF":
        raise ValueError("The compiler did not write an ELF file.")
    return Elf(os_abi=cubin[7], abi_version=cubin[8])
