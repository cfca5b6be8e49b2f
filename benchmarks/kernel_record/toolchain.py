"""NVIDIA's compiler and disassembler, those that pip installed and no others: their versions are pinned.

The numbers differ between versions, so that an nvcc of the system would make another record.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

__all__ = [
    "NVCC",
    "NVDISASM",
    "OPTIONS",
    "ToolMissingError",
    "Toolchain",
    "compiled",
    "disassembled",
    "installed_toolchain",
]

NVCC, NVDISASM = "nvidia-cuda-nvcc", "nvidia-cuda-nvdisasm"

OPTIONS = ("-std=c++17", "-Werror", "all-warnings", "-Xptxas", "-v")
"""Of nvcc; the first is what fcn_edge gives NVRTC."""


class ToolMissingError(Exception):
    """A tool is not installed."""


@dataclass(frozen=True)
class Toolchain:
    """Programs, and the versions of the packages that they come from."""

    nvcc: Path
    nvcc_version: str
    nvdisasm: Path
    nvdisasm_version: str


def installed_toolchain() -> Toolchain:
    """The programs of this environment's packages.

    Raises:
        ToolMissingError: A package is not there, or lacks its program.
    """
    return Toolchain(*_program(NVCC, "nvcc"), *_program(NVDISASM, "nvdisasm"))


def _program(package: str, name: str) -> tuple[Path, str]:
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise ToolMissingError(f"{package} is not installed; requirements/dev.txt has it.") from None
    path = next((Path(str(file.locate())) for file in found.files or () if file.name == name), None)
    if path is None or not path.is_file():
        raise ToolMissingError(f"{package} {found.version} has no {name}; install it again.")
    return path, found.version


def compiled(tools: Toolchain, source: str, architecture: str, cubin: Path) -> str:
    """Compile a kernel file and return what the assembler says of its entries.

    Args:
        tools: The compiler.
        source: CUDA source of the whole file.
        architecture: Such as ``sm_87``.
        cubin: Where to write the machine code to; the source is written beside it.

    Raises:
        ValueError: The source does not compile, or with a warning.
    """
    text = cubin.with_suffix(".cu")
    text.write_text(source, encoding="utf-8")
    # nvcc takes further options from NVCC_APPEND_FLAGS and its like
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NVCC_")}
    # of the system's g++ only the preprocessor is used, and nvcc refuses those that are newer than itself
    command = [
        tools.nvcc,
        *OPTIONS,
        "-allow-unsupported-compiler",
        "-cubin",
        f"-arch={architecture}",
        "-o",
        cubin,
        text,
    ]
    done = subprocess.run(command, check=False, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise ValueError(f"nvcc does not compile {text.name} for {architecture}:\n{done.stderr}")
    return done.stderr


def disassembled(tools: Toolchain, cubin: Path) -> str:
    """The machine code of a file as text, entry by entry."""
    return subprocess.run([tools.nvdisasm, "-c", cubin], check=True, stdout=subprocess.PIPE, text=True).stdout
