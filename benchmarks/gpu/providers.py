"""The CUDA libraries that reach this machine's GPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module

from fcn_edge.backends.cuda.device import PROVIDERS, Device
from fcn_edge.backends.cuda.driver import Driver, GpuFacts
from fcn_edge.errors import MachineError, MissingExtraError

__all__ = ["Reached", "device_of", "driver_of", "reached"]

_EXTRAS = {"pycuda": "pycuda", "cuda-python": "cuda"}


@dataclass(frozen=True)
class Reached:
    """A GPU that was reached.

    Attributes:
        facts: What it is.
        has_graphs: The library can capture streams.
    """

    facts: GpuFacts
    has_graphs: bool


def reached(asked: str) -> dict[str, Reached | MachineError]:
    """What each library says of the GPU, or why it cannot be reached through it.

    Args:
        asked: A name of ``PROVIDERS``, or ``all``.

    Raises:
        MachineError: None of those asked for reaches a GPU; the error of the first that is installed.
    """
    found = {name: _tried(name) for name in (PROVIDERS if asked == "all" else (asked,))}
    errors = [one for one in found.values() if isinstance(one, MachineError)]
    if len(errors) == len(found):
        raise min(errors, key=lambda error: isinstance(error, MissingExtraError))
    return found


def _tried(name: str) -> Reached | MachineError:
    try:
        with device_of(name) as device:
            return Reached(device.facts, device.has_graphs)
    except MachineError as error:
        return error


def device_of(name: str, integrated: bool | None = None) -> Device:
    """The GPU through one library.

    Args:
        name: The library.
        integrated: Whether the GPU is to pass for one that shares the processor's memory; what it is when None.

    Raises:
        MachineError: It is not installed, or it finds no GPU.
    """
    driver = driver_of(name)
    if integrated is not None:
        driver.facts = replace(driver.facts, integrated=integrated)
    return Device(driver)


def driver_of(name: str) -> Driver:
    """The GPU through one library, as bare calls.

    Raises:
        MachineError: It is not installed, or it finds no GPU.
    """
    driver: Driver | None = import_module(PROVIDERS[name]).open_gpu(0)
    if driver is None:
        raise MissingExtraError(name, _EXTRAS[name], f"Reaching the GPU through {name}")
    return driver
