"""Logins that are still good, and tries with wrong tokens: both counted, neither without bound."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Sessions", "WrongTokens"]

LIFETIME_S = 7 * 86400.0
MOST_SESSIONS = 64
MOST_TRIES = 5
WINDOW_S = 60.0
_MOST_ADDRESSES = 512


class Sessions:
    """Random cookies of browsers that logged in; the oldest goes when there are too many.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def begin(self) -> str:
        """A new cookie."""
        cookie = secrets.token_urlsafe(32)
        self._ends[_digest(cookie)] = self._clock() + LIFETIME_S
        while len(self._ends) > MOST_SESSIONS:
            self._ends.popitem(last=False)
        return cookie

    def holds(self, cookie: str) -> bool:
        """Whether it is one of ours and still good. Digests are looked up: their order in memory tells nothing."""
        end = self._ends.get(_digest(cookie))
        return end is not None and self._clock() < end

    def end(self, cookie: str) -> None:
        """Log out; what is none of ours is left."""
        self._ends.pop(_digest(cookie), None)


@dataclass
class _Tries:
    """Of one address: when it tried, and when each wrong token was last tried."""

    times: list[float] = field(default_factory=list)
    guesses: dict[bytes, float] = field(default_factory=dict)


class WrongTokens:
    """Wrong tokens by the address that tried them, over the last minute.

    Who tries several different ones is guessing, and is not listened to for a while. A program that repeats one wrong
    token is only told so: another one beside it, at the same address and with the right token, gets through.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._addresses: OrderedDict[str, _Tries] = OrderedDict()

    def is_guessing(self, address: str) -> bool:
        """Whether this address has tried so many different tokens that the next is not looked at."""
        tries = self._recent(_network(address))
        return tries is not None and len(tries.guesses) >= MOST_TRIES

    def note(self, address: str, token: bytes) -> bool:
        """Note a wrong one; returns whether there were too many."""
        network = _network(address)
        tries = self._recent(network) or _Tries()
        self._addresses[network] = tries
        self._addresses.move_to_end(network)
        while len(self._addresses) > _MOST_ADDRESSES:
            self._addresses.popitem(last=False)
        now = self._clock()
        tries.guesses[hashlib.sha256(token).digest()] = now
        tries.times = [*tries.times[-MOST_TRIES:], now]
        return len(tries.times) > MOST_TRIES

    def _recent(self, network: str) -> _Tries | None:
        tries = self._addresses.get(network)
        if tries is None:
            return None
        start = self._clock() - WINDOW_S
        tries.times = [at for at in tries.times if at > start]
        tries.guesses = {guess: at for guess, at in tries.guesses.items() if at > start}
        return tries


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()


def _network(address: str) -> str:
    """What one machine has: of IPv6 addresses it has 2**64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped:
        return address
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))
