"""Which names a browser may know the page by, and which pages may ask it: no other website reads a camera.

A name of somebody else's that suddenly resolves to this machine (DNS rebinding) stands in ``Host``; a page of somebody
else's that sends requests or opens a WebSocket stands in ``Origin`` or shows in ``Sec-Fetch-Site``.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping

from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.refusal import Refusal

__all__ = ["Hosts"]

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([0-9]{1,5}))?")
_LARGEST_PORT = 65535
_FOREIGN = ("cross-site", "same-site")
"""Another port of this machine is the same site, and is not this page either."""


class Hosts:
    """The names of a page.

    Args:
        address: Where it listens.
    """

    def __init__(self, address: PageAddress) -> None:
        self._is_loopback = address.is_loopback
        self._names = {"localhost", *address.hosts}
        if not address.is_loopback:
            machine = socket.gethostname().lower()
            self._names |= {machine, f"{machine.partition('.')[0]}.local"}

    def checked(self, headers: Mapping[bytes, bytes]) -> str:
        """The ``Host`` of a request, which is one of ours.

        Raises:
            Refusal: It is missing, or another.
        """
        if b"host" not in headers:
            raise Refusal(400, "The request has no Host header, which says under what name it looks for this page.")
        host = headers[b"host"].decode("latin-1").lower()
        found = _HOST.fullmatch(host)
        if found is None or int(found[2] or 0) > _LARGEST_PORT or not self._is_ours(found[1]):
            raise Refusal(
                403,
                "This page is not served under the name that the request's Host header gives.",
                "Open it by its IP address, or start the run with #host=NAME behind the page's address.",
            )
        return host

    def is_from_here(self, host: str) -> bool:
        """Whether a request with this ``Host`` can only come from this machine: no proxy passes it on for others."""
        found = _HOST.fullmatch(host)
        return self._is_loopback and found is not None and _is_loopback_name(found[1])

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        # an address cannot be rebound by DNS; others than loopback's do not lead to a socket that listens there
        address = _ip_address(name)
        return address is not None and (address.is_loopback or not self._is_loopback)


def check_origin(headers: Mapping[bytes, bytes], host: str, is_navigation: bool) -> None:
    """Refuse what another website's page asks for; programs, which name no origin, may ask.

    Args:
        headers: Of the request.
        host: Its ``Host``.
        is_navigation: It is a GET that fills a whole tab, whose content the other website cannot see.

    Raises:
        Refusal: It comes from elsewhere.
    """
    origin = headers.get(b"origin")
    # as text compared, so that "null" and what only begins like it are others
    if origin is not None and origin.decode("latin-1").lower() not in (f"http://{host}", f"https://{host}"):
        raise Refusal(
            403,
            "The request comes from another website's page: its Origin is not the host that it asks.",
            "Behind a reverse proxy, let that pass the Host header on as it came.",
        )
    if headers.get(b"sec-fetch-site", b"").decode("latin-1").lower() in _FOREIGN and not is_navigation:
        raise Refusal(403, "The request comes from another website's page.", "Open this page itself.")


def _is_loopback_name(name: str) -> bool:
    address = _ip_address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def _ip_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.IPv6Address(name[1:-1]) if name.startswith("[") else ipaddress.IPv4Address(name)
    except ValueError:
        return None
