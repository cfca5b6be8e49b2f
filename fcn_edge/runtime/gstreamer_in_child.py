"""What the programs for GStreamer's child process have in common: the reader's and the encoder's.

It runs in the system's Python: nothing but ``gi`` and the standard library of Python 3.8.
"""

from __future__ import annotations

import os
import threading
from typing import Any

__all__ = ["Answers", "UnbuiltError", "chained", "error_of", "factory_of", "loaded_gst"]


class UnbuiltError(Exception):
    """There can be no such pipeline.

    Attributes:
        message: What the parent is told: ``kind`` and what belongs to it.
    """

    def __init__(self, **message: Any) -> None:
        self.message = message


class Answers:
    """The pipe to the parent, for several threads."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.lock = threading.Lock()
        os.set_inheritable(fd, False)  # GStreamer's plugin scanner would keep it open

    def write(self, *parts: Any) -> None:
        """All of the parts, with nothing of another thread's between them."""
        with self.lock:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(self.fd, view) :]


def loaded_gst() -> Any:
    """The module ``gi.repository.Gst``, ready for use.

    Raises:
        UnbuiltError: This Python has it not.
    """
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError):
        raise UnbuiltError(kind="no_gi") from None
    Gst.init(None)
    return Gst


def chained(gst: Any, pipeline: Any, descriptions: list[dict[str, Any]]) -> list[Any]:
    """New elements in a pipeline, each linked to the one before it.

    Args:
        gst: The module ``gi.repository.Gst``.
        pipeline: The pipeline.
        descriptions: The elements, each with ``factory`` and perhaps ``properties``.

    Raises:
        UnbuiltError: One is not here, or does not fit to the one before it.
    """
    elements = [_made(gst, one["factory"], one.get("properties", {})) for one in descriptions]
    for element in elements:
        pipeline.add(element)
    for place in range(1, len(elements)):
        if not elements[place - 1].link(elements[place]):
            raise UnbuiltError(kind="link")
    return elements


def _made(gst: Any, factory: str, properties: dict[str, Any]) -> Any:
    element = gst.ElementFactory.make(factory, None)
    if element is None:
        raise UnbuiltError(kind="missing", elements=[factory])
    for name, value in properties.items():
        specification = element.find_property(name)
        if specification is None:
            continue  # another release of GStreamer or of the board's software
        if name == "caps":
            value = gst.Caps.from_string(value)
        if isinstance(value, str) and specification.value_type.name != "gchararray":
            gst.util_set_object_arg(element, name, value)  # an enumeration, or a structure
        else:
            element.set_property(name, value)
    return element


def error_of(message: Any) -> dict[str, Any]:
    """What the parent is told of an error on the bus: names and numbers."""
    error, _text = message.parse_error()
    return {"kind": "error", "domain": error.domain, "code": error.code, "factory": factory_of(message.src)}


def factory_of(element: Any) -> str:
    """The name of what made an element; empty where that is not known."""
    factory = element.get_factory() if hasattr(element, "get_factory") else None
    return str(factory.get_name()) if factory is not None else ""
