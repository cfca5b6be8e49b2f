"""What became of an encoder of GStreamer, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcn_edge.runtime.gstreamer_child import ended_how
from fcn_edge.runtime.sinks.encoders.base import EncoderError
from fcn_edge.system.gstreamer import APT, BINDING, SYSTEM_PYTHON, package_of

__all__ = ["ended", "failed", "no_python", "silent", "told"]

FIX = "Let the processor encode: out.mp4#encoder=libx264."


def failed(name: str, what: str) -> EncoderError:
    """The encoder did what it must not.

    Args:
        name: The element.
        what: What it did, as the rest of a sentence.
    """
    return EncoderError(f"The encoder {name} of GStreamer {what}.", FIX)


def ended(name: str, status: int | None) -> EncoderError:
    """Its process ended; the status is what ``subprocess`` gives, None where it is not known."""
    if status is None:
        return failed(name, "is gone")
    return failed(name, f"is gone: its process {ended_how(status)}")


def silent(name: str, seconds: float) -> EncoderError:
    """It takes or gives nothing any more."""
    return failed(name, f"gave nothing for {seconds:g} s")


def no_python(name: str, python: str) -> EncoderError:
    """There is no Python of the system, or it does not start."""
    return EncoderError(
        f"The encoder {name} of GStreamer runs in the system's Python, and {python} is not here or does not start.",
        f"sudo apt-get install python3 {' '.join(APT)}",
    )


def told(name: str, message: Mapping[str, Any]) -> EncoderError:
    """What a message of the child means: ``kind`` and what belongs to it."""
    kind = message.get("kind")
    if kind == "no_gi":
        return EncoderError(
            f"The encoder {name} needs GStreamer in {SYSTEM_PYTHON}, which lacks its binding ({', '.join(BINDING)}).",
            f"sudo apt-get install {' '.join(APT)}",
        )
    if kind == "missing":
        element = str(message["elements"][0])
        package = package_of(element)
        fix = f"sudo apt-get install {package}" if package else "Search for its package: apt-cache search gstreamer1.0"
        return EncoderError(f"The encoder {name} needs the GStreamer element {element}, which is not here.", fix)
    if kind == "link":
        return failed(name, "does not fit to the elements beside it")
    return failed(name, "cannot encode pictures of this size, or failed")
