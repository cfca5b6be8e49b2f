"""Which hosts a pattern allows: ``10.0.0.*``, ``*.cameras.example``, ``camera[1-4]``, ``[fd00::5]``."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from fcn_edge.errors import UsageError

__all__ = ["HostPattern"]

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class HostPattern:
    """Letters of one part of a name, or one number of an IPv4 address: ``*`` crosses no dot.

    Where a wildcard stands in the last of several parts, only IPv4 addresses match: ``10.0.0.*`` is not ``10.0.0.com``.

    Args:
        text: The pattern; case counts.

    Raises:
        UsageError: It can match nothing.
    """

    def __init__(self, text: str) -> None:
        self._ipv6 = _ipv6(text)
        self._parts = text.split(".")
        wild = re.search(r"[*?\[]", self._parts[-1]) is not None
        self._ipv4_only = wild and len(self._parts) > 1
        if not all(self._parts) or (self._ipv6 is None and re.search(r"[^\w.*?\[\]!-]", text, re.ASCII)):
            raise UsageError(f"{text!r} is no pattern of hosts.", "Write it as 10.0.0.*, *.example.com or camera-?.")
        if self._ipv4_only and len(self._parts) != 4:
            raise UsageError(
                f"The pattern of hosts {text!r} matches nothing: a * crosses no dot.",
                "Write all four numbers, such as 10.0.*.*, or a name that ends in letters, such as *.example.com.",
            )

    def matches(self, host: str) -> bool:
        """Whether a host matches: a name or an address, IPv6 in brackets."""
        if host.startswith("["):
            there = _ipv6(host)
            return there is not None and there == self._ipv6
        parts = host.split(".")
        # what ends in a number is an address, and the system reads 10.1 and 0x7f000001 as some too
        if (self._ipv4_only or _NUMBER.fullmatch(parts[-1])) and not _is_ipv4(host):
            return False
        return len(parts) == len(self._parts) and all(map(fnmatchcase, parts, self._parts))


def _is_ipv4(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except AddressValueError:
        return False


def _ipv6(host: str) -> IPv6Address | None:
    if not (host.startswith("[") and host.endswith("]") and ":" in host):
        return None
    try:
        return IPv6Address(host[1:-1])
    except AddressValueError:
        return None
