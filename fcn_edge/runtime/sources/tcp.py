"""Connections to hosts that can be given up at any moment, and the user and host in an address."""

from __future__ import annotations

import errno
import re
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.sources.base import SLICE
from fcn_edge.text import whole

__all__ = ["Authority", "connected_socket"]

_AUTHORITY = re.compile(r"[^:]+://([^/?#]*)")


@dataclass(frozen=True, repr=False)
class Authority:
    """Whom an address names. Not for printing: it holds the password.

    Attributes:
        host: Name or number of the host, without brackets.
        port: Its port.
        user: Name to log in with, unescaped; None where the address has none.
        password: Password to log in with, unescaped.
    """

    host: str
    port: int
    user: str | None = None
    password: str = ""

    @classmethod
    def of(cls, location: str, shown: str, port: int) -> Authority:
        """What stands between ``://`` and the path.

        Args:
            location: The address, with its password.
            shown: The address without it, for errors.
            port: The scheme's own port, where the address has none.

        Raises:
            UsageError: There is no host in it, or its port is no number.
        """
        found = _AUTHORITY.match(location)
        login, at, place = (found[1] if found else "").rpartition("@")
        host, port_text = _split_port(place)
        number = whole(port_text) if port_text else port
        if not host or number is None or not 0 < number < 65536:
            raise UsageError(
                f"{shown} has no host, or no port from 1 to 65535 behind its colon.",
                "In a password write / as %2F, ? as %3F, # as %23, : as %3A and @ as %40.",
            )
        user, _, password = login.partition(":")
        return cls(host, number, unquote(user) if at else None, unquote(password))


def connected_socket(host: str, port: int, until: float, interrupted: Callable[[], bool], shown: str) -> socket.socket:
    """A TCP connection, blocking and without a timeout.

    The look-up of the name is the system's own and lasts as long as it wants.

    Args:
        host: Name or number of the host.
        port: Its port.
        until: ``time.monotonic()`` at which to give up.
        interrupted: Asked every 0.1 s; True gives up at once.
        shown: What the user called it, for errors.

    Raises:
        SourceError: There is no such host, it refuses or does not answer, or it was interrupted.
    """
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceError(
            f"The host of {shown} is not known here.",
            "Correct its name, or give its IP address; see: getent hosts HOST",
        ) from None
    problem = errno.ETIMEDOUT
    for family, kind, protocol, _, target in candidates:
        sock = socket.socket(family, kind, protocol)
        try:
            problem = _connect(sock, target, until, interrupted)
        except BaseException:
            sock.close()
            raise
        if not problem:
            sock.setblocking(True)
            return sock
        sock.close()
    if interrupted():
        raise SourceError(f"Connecting to {shown} was interrupted.")
    if problem == errno.ECONNREFUSED:
        raise SourceError(
            f"The host of {shown} is there, but refuses connections to port {port}.",
            "Start the camera's server, or correct the port.",
        )
    if problem == errno.ETIMEDOUT:
        raise SourceError(
            f"The host of {shown} did not answer in time.", "Check its address and power, the cable and the firewall."
        )
    raise SourceError(
        f"The host of {shown} cannot be reached from here.", "Check the network with: ip route get ADDRESS"
    )


def _connect(sock: socket.socket, target: object, until: float, interrupted: Callable[[], bool]) -> int:
    """Connect; 0 when it is, else the number of the system's error."""
    sock.setblocking(False)
    problem = sock.connect_ex(target)  # type: ignore[arg-type]  # typeshed has no type for what getaddrinfo gives
    if problem not in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        return problem
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while not interrupted() and (left := until - time.monotonic()) > 0:
        if poll.poll(1000 * min(SLICE, left)):
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.ETIMEDOUT


def _split_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = place.partition(":")
    return host, port
