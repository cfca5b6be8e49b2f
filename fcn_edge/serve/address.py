"""Where the live page listens: the text ``http://:8080`` as a sink, taken apart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from typing_extensions import Self

from fcn_edge.errors import UsageError
from fcn_edge.runtime.sinks.encoders.choice import AUTO, encoder_from_text
from fcn_edge.runtime.uri import Uri
from fcn_edge.text import whole

__all__ = ["PageAddress"]

_EXAMPLES = "Write http://:8080 for this machine alone, or http://0.0.0.0:8080 for the network."
_PLACE = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_LONGEST_NAME = 253
_MOST_NAMES = 32
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class PageAddress:
    """Where the live page listens.

    Attributes:
        host: An IP address: 127.0.0.1 where the text names none.
        port: 0 stands for a free one.
        hosts: Further names under which the page may be opened, in lower case.
        is_loopback: Only this machine reaches it.
        encoder: What encodes the video: one of ``encoders.choice.ENCODERS``.
    """

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    is_loopback: bool = True
    encoder: str = AUTO

    @classmethod
    def of(cls, text: str) -> Self:
        """The address that a text such as ``http://0.0.0.0:8080#host=cam.example`` stands for.

        Raises:
            UsageError: It is none.
        """
        uri = Uri.parse(text, ("host", "encoder"))
        if uri.scheme == "https":
            raise UsageError(
                f"The live page speaks http, and {uri} asks for https.",
                "Write http:// and let a reverse proxy such as Caddy add the certificate, with its name in #host=NAME.",
            )
        if uri.scheme != "http":
            raise UsageError(f"{uri} is no address of a live page.", _EXAMPLES)
        place, _, path = uri.place.partition("/")
        if "@" in place:
            raise UsageError(
                f"{uri} names a user, and the live page knows none.",
                "Leave it out; what protects the page is the token of --token-file.",
            )
        if path or "?" in place or "#" in place:
            raise UsageError(
                f"{uri} goes on behind the port, where only the options #host=NAME and #encoder=NAME may stand.",
                _EXAMPLES,
            )
        found = _PLACE.fullmatch(place)
        if found is None:
            raise UsageError(f"{uri} is no address of a live page.", _bracketed(place) or _EXAMPLES)
        address = _ip_address(found[1], uri)
        options = uri.read_options({"host": _host_names, "encoder": encoder_from_text})
        port, encoder = _port(found[2], uri), options.get("encoder", AUTO)
        return cls(str(address), port, options.get("host", ()), address.is_loopback, encoder)


def _ip_address(host: str, uri: Uri) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if host.lower() in ("", "localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        if not host.startswith("["):
            return ipaddress.IPv4Address(host)
        # a zone such as %eth0 is known to this machine alone, and no browser takes it
        address = ipaddress.IPv6Address(host[1:-1] if "%" not in host else "")
        return address.ipv4_mapped or address
    except ValueError:
        raise UsageError(
            f"The live page listens at an IP address of this machine, which {uri} does not give.",
            "Write http://0.0.0.0:8080 for all of them; names by which the page is opened go behind it, as #host=NAME.",
        ) from None


def _port(text: str | None, uri: Uri) -> int:
    port = whole(text or "")
    if port is None or not 0 <= port <= _LARGEST_PORT:
        what = f"has a port that is no number from 0 to {_LARGEST_PORT}" if text else "names no port"
        raise UsageError(f"{uri} {what}.", _EXAMPLES)
    return port


def _host_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in names:
        if len(name) > _LONGEST_NAME or not _HOST_NAME.fullmatch(name):
            raise ValueError(
                "names such as cam.example were expected, without a port, several with commas between them"
            )
    if len(names) > _MOST_NAMES:
        raise ValueError(f"at most {_MOST_NAMES} names were expected")
    return names


def _bracketed(place: str) -> str:
    """What to write where an IPv6 address lacks its brackets; else nothing."""
    host = place.rpartition(":")[0]
    return f"An IPv6 address stands in brackets: http://[{host}]:8080." if host.count(":") > 1 else ""
