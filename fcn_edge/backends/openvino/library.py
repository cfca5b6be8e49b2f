"""The one place that imports OpenVINO, and the process's one core of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

from fcn_edge.errors import MachineError, MissingExtraError

__all__ = ["core", "library"]

_making = threading.Lock()


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Keep openvino-telemetry out of the imports in the block.

    Importing openvino otherwise writes an id into the home directory, forks, and tells Google Analytics. It has stubs
    for when that package is absent, which nothing but the import system can tell it.
    """
    name = "openvino_telemetry"
    if name in sys.modules:  # imported by someone else, who has decided
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@cache
def library() -> ModuleType:
    """The ``openvino`` module.

    Raises:
        MissingExtraError: It is not installed.
        MachineError: It is installed and cannot be loaded.
    """
    try:
        with _no_telemetry():
            import openvino
    except ModuleNotFoundError as error:
        if error.name != "openvino":
            raise
        raise MissingExtraError("openvino", "openvino", "Running a network with OpenVINO") from error
    except ImportError as error:
        raise MachineError(
            f"OpenVINO is installed and cannot be loaded: {error}.",
            "Install it again with: pip install --force-reinstall openvino",
        ) from error
    return openvino  # type: ignore[no-any-return]


def core() -> Any:
    """The core that every model of this process is read and compiled with.

    It is never let go. A CPU plugin gives the thread that loads it a stack for signals, and takes that memory back when
    its last core or model goes; in another thread, it leaves the first one with a stack that is no more, and that
    thread's next signal, such as Ctrl-C, ends the process (OpenVINO 2026.4).
    """
    with _making:
        return _only_core()


@cache
def _only_core() -> Any:
    return library().Core()
