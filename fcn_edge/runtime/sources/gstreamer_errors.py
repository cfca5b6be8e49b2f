"""What the child process of GStreamer tells of failures, as errors of fcn_edge."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fcn_edge.errors import FcnEdgeError, MachineError, SourceError, UsageError
from fcn_edge.runtime.gstreamer_child import ended_how
from fcn_edge.system.gstreamer import APT, BINDING, package_of

__all__ = ["crashed", "no_binding", "no_python", "translated"]

_NETWORK = "Check the address, the network and that the camera is on."
_CORE, _RESOURCE, _STREAM = (f"gst-{name}-error-quark" for name in ("core", "resource", "stream"))

_ERRORS: Mapping[tuple[str, int], tuple[str, str]] = MappingProxyType(
    {
        (_RESOURCE, 3): ("there is no such stream, file or device", "Check the address and its path."),
        (_RESOURCE, 4): ("it is in use", "End the other program that reads it."),
        (_RESOURCE, 5): ("it cannot be opened for reading", _NETWORK),
        (_RESOURCE, 7): ("it cannot be reached", _NETWORK),
        (_RESOURCE, 9): ("it stopped answering", _NETWORK),
        (_RESOURCE, 15): ("it refuses user and password", "Check them: rtsp://USER:PASSWORD@HOST/PATH."),
        (_STREAM, 4): ("what it holds is of an unknown kind", "Check that it is a video."),
        (_STREAM, 5): ("what it holds is no video of the expected kind", "Check that it is a video."),
        (_STREAM, 7): ("what it holds cannot be decoded: it is damaged or cut off", "Check it with another player."),
        (_STREAM, 9): (
            "what it holds cannot be taken apart: it is damaged or cut off",
            "Check it with another player.",
        ),
        (_STREAM, 11): ("what it holds is of a form that cannot be decoded", "Check that it is a video."),
        (_CORE, 7): ("its elements agree on no form of video", "Put videoconvert between the two that disagree."),
    }
)
"""What happened and what fixes it, by domain and code of GStreamer's error."""

_PLUGINS = frozenset({(_STREAM, 6), (_CORE, 12)})
"""A decoder or another plugin is missing."""

_PARSE: Mapping[int, str] = MappingProxyType(
    {
        0: "has a mistake in its syntax",
        2: "gives {element} a property that it has not",
        3: "links two elements that do not fit together",
        4: "gives a property of {element} a value that makes no sense",
        5: "has an empty group",
        6: "is empty",
    }
)
"""What is wrong with a pipeline's text, by code of GStreamer's parser."""

_LAUNCH = "Try it by itself: gst-launch-1.0 with the same text and autovideosink at its end says where."


def translated(shown: str, message: Mapping[str, Any]) -> FcnEdgeError:
    """The error that a message of the child means.

    Args:
        shown: The source, as it may be printed.
        message: What the child told: ``kind`` and what belongs to it.
    """
    kind = message.get("kind")
    if kind == "no_gi":
        return no_binding(shown)
    if kind == "missing":
        return _missing(shown, [str(name) for name in message.get("elements", ())])
    if kind == "parse":
        element = message.get("element") or "an element"
        wrong = _PARSE.get(message.get("code", 0), "cannot be built").format(element=element)
        return UsageError(f"The pipeline {shown} {wrong}.", _LAUNCH)
    if kind == "link":
        return SourceError(f"{shown} cannot be read: GStreamer's elements for it do not fit together.", _LAUNCH)
    if kind == "encoding":
        encoding = message.get("encoding")
        return SourceError(
            f"{shown} sends {encoding}, which the chosen decoder of GStreamer does not take.",
            "Set the camera to H.264 or H.265, or leave the option decoder out.",
        )
    if kind == "format":
        return SourceError(
            f"{shown} gives {message.get('format')}; BGR was expected.",
            "Leave the appsink out, or put videoconvert ! video/x-raw,format=BGR before it.",
        )
    error = str(message.get("domain", "")), int(message.get("code", 0))
    if error in _PLUGINS and message.get("factory") == "rtspsrc":  # of which the others have been left out
        return SourceError(f"{shown} sends no video.", "Check the path: cameras have one for each stream.")
    return _failed(shown, error)


def crashed(shown: str, status: int | None) -> SourceError:
    """The child ended without a word.

    Args:
        shown: The source, as it may be printed.
        status: Its exit status as ``subprocess`` gives it; None where it is not known.
    """
    how = "is gone" if status is None else ended_how(status)
    return SourceError(
        f"{shown} was lost: the process of GStreamer that reads it {how}.",
        "Open it again; where that repeats, GST_DEBUG=3 GST_DEBUG_FILE=gst.log shows what it did last.",
    )


def no_python(shown: str, python: str) -> MachineError:
    """There is no Python of the system, or it does not start."""
    return MachineError(
        f"{shown} is read by GStreamer in the system's Python, and {python} is not here or does not start.",
        f"sudo apt-get install python3 {' '.join(APT)}",
    )


def no_binding(shown: str) -> MachineError:
    """The system's Python has no binding of GStreamer."""
    return MachineError(
        f"{shown} needs GStreamer in the system's Python, which lacks its binding ({', '.join(BINDING)}).",
        f"sudo apt-get install {' '.join(APT)}",
    )


def _missing(shown: str, elements: list[str]) -> MachineError:
    names = " or ".join(elements)
    what = f"{shown} needs the GStreamer element {names}, which is not here"
    packages = dict.fromkeys(filter(None, map(package_of, elements)))
    if any(name.startswith("nvidia-") for name in packages):
        on_board = "sudo apt-get install nvidia-l4t-gstreamer nvidia-l4t-camera"
        others = [name for name in packages if not name.startswith("nvidia-")]
        if not others:
            return MachineError(f"{what}: it needs a Jetson with its JetPack packages.", f"On a Jetson: {on_board}")
        return MachineError(f"{what}.", f"sudo apt-get install {' '.join(others)} (on a Jetson: {on_board})")
    if not packages:
        return MachineError(f"{what}.", "See which package has it with: apt-cache search gstreamer1.0")
    return MachineError(f"{what}.", f"sudo apt-get install {' '.join(packages)}")


def _failed(shown: str, error: tuple[str, int]) -> FcnEdgeError:
    if error in _PLUGINS:
        return MachineError(
            f"{shown} needs a decoder or plugin of GStreamer that is not here.", f"sudo apt-get install {' '.join(APT)}"
        )
    what, fix = _ERRORS.get(
        error,
        (
            "GStreamer cannot go on",
            "GST_DEBUG=3 GST_DEBUG_FILE=gst.log in front of the command shows what it did last.",
        ),
    )
    return SourceError(f"{shown} was lost or cannot be read: {what}.", fix)
