"""What keeps RTSP from being hosted or pushed, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcn_edge.errors import FcnEdgeError, MachineError, UsageError
from fcn_edge.runtime.gstreamer_child import ended_how
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.system.gstreamer import RTSP_SERVER, SYSTEM_PYTHON

__all__ = ["crashed", "no_python", "not_served", "open_to_all", "push_failed", "unreachable"]

APT = f"sudo apt-get install {' '.join(RTSP_SERVER)}"


def open_to_all(address: RtspAddress) -> UsageError:
    """It would be hosted for whoever asks."""
    return UsageError(
        f"{address.text} can be opened by every machine that reaches this one, and no token was given.",
        "Give --token-file FILE (user viewer, the token as the password), or host it for this machine alone: "
        f"rtsp://:{address.port}{address.path}",
    )


def no_python(text: str) -> MachineError:
    """There is no Python of the system, or it does not start."""
    return MachineError(
        f"{text} is hosted by the system's Python, and {SYSTEM_PYTHON} is not here or does not start.",
        f"sudo apt-get install python3 {' '.join(RTSP_SERVER)}",
    )


def not_served(address: RtspAddress, message: Mapping[str, Any]) -> FcnEdgeError:
    """What a message of the server's child means that says why it does not serve."""
    kind, place = message.get("kind"), f"port {address.port}"
    if kind == "no_gi":
        return MachineError(
            f"{address.text} is hosted by GStreamer, whose binding for {SYSTEM_PYTHON} is not installed.", APT
        )
    if kind in ("no_server", "missing"):
        lacks = "its RTSP server" if kind == "no_server" else f"its element {message['elements'][0]}"
        return MachineError(f"{address.text} is hosted by GStreamer, which lacks {lacks} here.", APT)
    if kind is None:
        return MachineError(
            f"{address.text} cannot be hosted: GStreamer's RTSP server ended at once.", "Check it: fcn-edge doctor"
        )
    code = message.get("code")
    if code == "busy":
        return MachineError(
            f"{address.text} cannot be hosted: another program listens on {place} already.",
            "Give another port, or end that program.",
        )
    if code == "forbidden":
        return MachineError(
            f"{address.text} cannot be hosted: {place} is for the system's own programs.",
            "Give one above 1023, such as 8554.",
        )
    return MachineError(f"{address.text} cannot be hosted: nothing can listen on {place} here.", "Give another port.")


def crashed(text: str, status: int | None, times: int) -> MachineError:
    """The server's child ended again and again."""
    how = "ended" if status is None else ended_how(status)
    return MachineError(
        f"The RTSP server of {text} {how}, for the {times}th time in a row.",
        "Check GStreamer: fcn-edge doctor",
    )


def unreachable(address: RtspAddress, why: str) -> MachineError:
    """Nobody answers where a stream is to be pushed to."""
    return MachineError(
        f"{address.text} cannot be pushed to: {why}; an RTSP server that takes streams was expected.",
        "Start it (such as MediaMTX), or correct the address; rtsp://:8554/NAME hosts it on this machine.",
    )


def push_failed(address: RtspAddress, code: str) -> MachineError:
    """An RTSP server answered, and took no stream."""
    if code == "HTTPUnauthorizedError":
        return MachineError(
            f"{address.text} refuses the user or the password.",
            "Correct them: rtsp://user:password@HOST:8554/NAME, with %XX for special letters.",
        )
    if code in ("HTTPNotFoundError", "HTTPForbiddenError", "HTTPOtherClientError", "HTTPError", "HTTPClientError"):
        return MachineError(
            f"{address.text} takes no stream under this name; a server that lets clients publish (RECORD) was "
            "expected.",
            "Allow the path in the server's configuration, or give another name.",
        )
    return unreachable(address, "what answers there is no RTSP server, or it ended the connection")
