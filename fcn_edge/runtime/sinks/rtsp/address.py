"""The address of an RTSP sink: hosted here, or another machine's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from typing_extensions import Self

from fcn_edge.errors import UsageError
from fcn_edge.runtime.uri import Uri

__all__ = ["RtspAddress"]

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0": "0.0.0.0", "::": "[::]"}
PORT = 554
"""Of the addresses that say none."""
_NAME = re.compile(r"/[\w.~-]+(?:/[\w.~-]+)*", re.ASCII)
FIX = "Give rtsp://:8554/NAME to host it on this machine, or rtsp://HOST:8554/NAME to push it to another."


@dataclass(frozen=True)
class RtspAddress:
    """Where a stream is to be had.

    Attributes:
        host: What a hosted one is bound to, or the machine that it is pushed to.
        port: Its port; 0 is a free one, of those that are hosted.
        path: Begins with ``/``; of one that is pushed whatever stands behind the port.
        hosted: It is hosted here.
        location: The whole address, with its password.
        text: The address for messages, without its password.
    """

    host: str
    port: int
    path: str
    hosted: bool
    location: str
    text: str

    @property
    def is_loopback(self) -> bool:
        """It is hosted for this machine alone."""
        return self.hosted and self.host == LOOPBACK

    @classmethod
    def of(cls, uri: Uri) -> Self:
        """Take an address apart.

        Raises:
            UsageError: It makes no sense.
        """
        uri.read_options({})
        try:
            parts = urlsplit(uri.location)
            port, host = parts.port, parts.hostname or ""
        except ValueError:
            raise UsageError(f"{uri} is no address of RTSP: its port or host makes no sense.", FIX) from None
        hosted = host in ("", *EVERYWHERE)
        if not hosted:
            if port == 0:
                raise UsageError(f"{uri} has the port 0, which no server has.", FIX)
            path = uri.location.partition("://")[2].partition("/")[2]
            return cls(host, PORT if port is None else port, f"/{path}", False, uri.location, uri.text)
        if "@" in parts.netloc:
            raise UsageError(
                f"{uri} is hosted here, and its login cannot stand in the address, which others on this machine see.",
                "Leave it out: the user is viewer, and the password the token of --token-file.",
            )
        if parts.query or parts.fragment or not _NAME.fullmatch(parts.path):
            raise UsageError(
                f"{uri} needs a name behind the port, of letters without accents, digits and - _ . ~ only.",
                FIX,
            )
        return cls(host or LOOPBACK, PORT if port is None else port, parts.path, True, uri.location, uri.text)

    def url(self, port: int) -> str:
        """The address under which a hosted one can be opened on this machine, once it has its port."""
        return f"rtsp://{'[::1]' if self.host == '::' else LOOPBACK}:{port}{self.path}"
