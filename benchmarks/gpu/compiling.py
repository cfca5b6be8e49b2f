"""How long the kernels take to be ready, compiled anew and out of the cache, and whether the driver takes the code."""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.kernel_cache import kept
from fcn_edge.ops.kernels import KERNELS, kernel_source
from gpu.facts import gpu_facts
from gpu.subject import Row, Subject

__all__ = ["check"]

ENTRIES = {"decode": "decode_fp16", "overlay": "overlay", "preprocess": "preprocess"}
_ELF = b"\x7fELF"


def check(subject: Subject) -> Iterator[Row]:
    """The GPU; then a row for each kernel."""
    with tempfile.TemporaryDirectory() as cache:
        begun = time.perf_counter_ns()
        with subject.open() as device, device.current():
            yield {"gpu": gpu_facts(device.facts), "library": device.facts.library, "context_ms": _ms_since(begun)}
        cold = _ready(subject, Path(cache))
        warm = _ready(subject, Path(cache))
        images = {path.name.partition("-")[0]: kept(path) for path in Path(cache).iterdir()}
    for kernel in KERNELS:
        row = {"kernel": kernel, "compiled_ms": cold[kernel], "from_cache_ms": warm[kernel], "agree": True}
        yield row | _header(images.get(kernel) or b"")


def _ready(subject: Subject, cache: Path) -> dict[str, float]:
    """Milliseconds until each kernel can be launched, in a context of its own."""
    times = {}
    driver = subject.driver()
    with Device(driver, cache) as device, device.current():
        for kernel in KERNELS:
            begun = time.perf_counter_ns()
            device.function(kernel_source(kernel), f"{kernel}.cu", ENTRIES[kernel])
            times[kernel] = _ms_since(begun)
    return times


def _header(image: bytes) -> Row:
    """What drivers look at first in compiled code; nothing where it is no ELF file."""
    if not image.startswith(_ELF):
        return {"bytes": len(image)}
    (flags,) = struct.unpack_from("<I", image, 48)
    return {"bytes": len(image), "elf_os_abi": image[7], "elf_abi_version": image[8], "elf_flags": hex(flags)}


def _ms_since(begun: int) -> float:
    return round((time.perf_counter_ns() - begun) / 1e6, 3)
