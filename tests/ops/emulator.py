"""Kernels run on the host: their own source, compiled by the C++ compiler with a header that stands in for CUDA."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.ops.kernels import Launch, kernel_source

_HEADER = Path(__file__).with_name("emulated_gpu.h")
_ENTRY = re.compile(r'extern "C" __global__ void(?: __launch_bounds__\([^)]*\))?\s+(\w+)\(')
_FAILURES = {
    1: "has no such entry",
    2: "takes other arguments",
    3: "has a barrier that not all threads reach",
    4: "writes beyond its shared memory",
}


def entries_of(source: str) -> list[str]:
    """Names of the kernels in a source text."""
    return _ENTRY.findall(source)


def compiled_for_the_host(directory: Path, name: str, text: str) -> Path:
    """A library whose ``launch`` runs the kernels of a source text; without a compiler the test is skipped."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ to compile kernels for the host with")
    source, library = directory / f"{name}.cpp", directory / f"{name}.so"
    entries = ", ".join(f"ENTRY({entry})" for entry in entries_of(text))
    source.write_text(f'#include "{_HEADER}"\n{text}\nENTRIES({entries})\n', encoding="utf-8")
    options = ["-std=c++17", "-O2", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-U_FORTIFY_SOURCE", "-o", library, source], check=True)
    return library


class Emulator:
    """A device whose memory is the host's."""

    def __init__(self, directory: Path, source: Callable[[str], str] = kernel_source) -> None:
        self._directory = directory
        self._source = source
        self._libraries: dict[str, ctypes.CDLL] = {}

    def run(self, launch: Launch, backwards: bool = False) -> None:
        """Run one launch to its end, blocks and threads in rising or in falling order."""
        assert launch.shared_bytes <= 48 << 10
        values = [np.asarray(argument) for argument in launch.arguments]
        outcome = self._library(launch.kernel).launch(
            launch.entry.encode(),
            (ctypes.c_uint * 3)(*launch.grid),
            (ctypes.c_uint * 3)(*launch.block),
            ctypes.c_size_t(launch.shared_bytes),
            (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values)),
            (ctypes.c_int * len(values))(*(value.itemsize for value in values)),
            len(values),
            backwards,
        )
        assert outcome == 0, f"{launch.entry} {_FAILURES[outcome]}"

    def _library(self, kernel: str) -> ctypes.CDLL:
        if kernel not in self._libraries:
            library = compiled_for_the_host(self._directory, kernel, self._source(kernel))
            self._libraries[kernel] = ctypes.CDLL(str(library))
        return self._libraries[kernel]
