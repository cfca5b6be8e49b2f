"""The driver without a GPU, and the kernels that it runs, made by the compilers of this machine.

    stub = make_driver(directory)                       # libcuda.so.1, and the package's kernels for the host
    subprocess.run(command, env=os.environ | stub.environment(driver="12.6", gpu=BOARD, log=directory / "calls"))

Every program that is started so finds it as the machine's driver; ``libcuda.c`` says what it does.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fcn_edge.ops.kernels import KERNELS, kernel_source
from fcn_edge.testing.kernel_signature import parameters_of

from ....ops.emulator import compiled_for_the_host
from .brightness import brightness_source
from .scenes import GPUS

__all__ = ["BOARD", "CARD", "StubDriver", "make_driver"]

BOARD, CARD = GPUS["board"], GPUS["card"]
"""GPUs to pose as."""

_SOURCE = Path(__file__).with_name("libcuda.c")


@dataclass(frozen=True)
class StubDriver:
    """A driver library, ready to be loaded.

    Attributes:
        library: ``libcuda.so.1``.
        kernels: The table of the kernels that it runs.
    """

    library: Path
    kernels: Path

    def environment(self, driver: str = "12.6", gpu: str = BOARD, log: Path | None = None) -> dict[str, str]:
        """The variables of a process that is to find it.

        Args:
            driver: CUDA version to pose as.
            gpu: GPU to pose as, such as ``BOARD``.
            log: Gets a line for each call.
        """
        major, minor = driver.split(".")
        return {
            "LD_LIBRARY_PATH": str(self.library.parent),
            "FCN_EDGE_STUB_DRIVER": str(1000 * int(major) + 10 * int(minor)),
            "FCN_EDGE_STUB_GPU": gpu,
            "FCN_EDGE_STUB_LOG": "" if log is None else str(log),
            "FCN_EDGE_STUB_KERNELS": str(self.kernels),
        }


def make_driver(directory: Path, sources: Mapping[str, str] | None = None) -> StubDriver:
    """Compile the driver, and kernels for the host; without compilers the test is skipped.

    Args:
        directory: Gets the libraries.
        sources: CUDA sources by name; the package's kernels and the network ``brightness`` when left out.
    """
    library, table = directory / "libcuda.so.1", directory / "kernels.txt"
    compiler = shutil.which("cc")
    assert compiler is not None, "the tests need a C compiler"
    options = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1"]
    subprocess.run([compiler, *options, "-o", library, _SOURCE, "-ldl", "-lpthread"], check=True)
    if sources is None:
        sources = {name: kernel_source(name) for name in KERNELS} | {"brightness": brightness_source()}
    with ThreadPoolExecutor(2) as pool:
        hosts = list(pool.map(partial(compiled_for_the_host, directory), sources, sources.values()))
    lines = []
    for host, text in zip(hosts, sources.values(), strict=True):
        for entry, parameters in parameters_of(text).items():
            sizes = ",".join(str(np.dtype(one.kind).itemsize) for one in parameters)
            lines.append(f"{entry} {host} {sizes}\n")
    table.write_text("".join(lines), encoding="utf-8")
    return StubDriver(library, table)
