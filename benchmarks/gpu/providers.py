"""The CUDA libraries that reach this machine's GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from fcn_edge.backends.cuda.device import PROVIDERS, Device
from fcn_edge.errors import MachineError, MissingExtraError

__all__ = ["OpenDevice", "openers", "with_graphs"]

OpenDevice = Callable[[], Device]

_EXTRAS = {"pycuda": "pycuda", "cuda-python": "cuda"}


def openers(asked: str) -> dict[str, OpenDevice | MachineError]:
    """What opens the GPU through each library, or why it cannot be reached through it.

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


def with_graphs(found: dict[str, OpenDevice | MachineError]) -> OpenDevice:
    """The first library that captures graphs, or the first that reaches the GPU where none does.

    Args:
        found: What each of the ``openers`` gave, by name.
    """
    reached = [one for one in found.values() if not isinstance(one, MachineError)]
    return next((one for one in reached if _has_graphs(one)), reached[0])


def _has_graphs(opened: OpenDevice) -> bool:
    with opened() as device:
        return device.has_graphs


def _tried(name: str) -> OpenDevice | MachineError:
    try:
        device_of(name).close()
    except MachineError as error:
        return error
    return partial(device_of, name)


def device_of(name: str) -> Device:
    """The GPU through one library.

    Raises:
        MachineError: It is not installed, or it finds no GPU.
    """
    driver = import_module(PROVIDERS[name]).open_gpu(0)
    if driver is None:
        raise MissingExtraError(name, _EXTRAS[name], "Reaching the GPU through it")
    return Device(driver)
