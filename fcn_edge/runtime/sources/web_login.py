"""Logins that HTTP servers ask for: by digest with SHA-256 or MD5 (RFC 7616), or basic (RFC 7617)."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fcn_edge.errors import SourceError
from fcn_edge.runtime.sources.tcp import Authority

__all__ = ["Login"]

_HASHES = MappingProxyType({"MD5": hashlib.md5, "SHA-256": hashlib.sha256})
"""From the weaker to the stronger."""
_PART = re.compile(r'([^\s,="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?', re.ASCII)
"""The name of a kind of login, or a parameter with its value."""


@dataclass(frozen=True)
class _Challenge:
    """One kind of login that a server offers.

    Attributes:
        kind: ``digest``, ``basic`` or another, in lower case.
        told: Its parameters, by their names in lower case.
    """

    kind: str
    told: dict[str, str]

    @property
    def hash(self) -> str:
        """What a digest is made with, in upper case."""
        return self.told.get("algorithm", "MD5").upper()

    @property
    def is_digest(self) -> bool:
        """Whether it is a digest that can be made here, for a request or for its body too."""
        return self.kind == "digest" and self.hash in _HASHES and {"realm", "nonce"} <= self.told.keys()

    @property
    def rank(self) -> int:
        """How well it keeps the password; 0 where it cannot be answered."""
        if self.kind == "basic":
            return 1
        protects = re.split(r"[\s,]+", self.told.get("qop", "auth").lower())
        return 2 + list(_HASHES).index(self.hash) if self.is_digest and "auth" in protects else 0


class Login(urllib.request.BaseHandler):
    """Logs in where a server asks for it, by the best kind that it offers.

    A password is sent once for each request, because cameras lock out who tries a wrong one often, and once more where
    the server says that only its nonce was too old. It is sent only to the scheme, host and port that it was given for,
    wherever redirections and playlists lead.

    Args:
        shown: What the user called the source, without the password: for errors.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._users: dict[tuple[str, str, int], tuple[str, str]] = {}
        self._nonce = ""
        self._count = 0

    def add(self, scheme: str, authority: Authority) -> None:
        """Log in with what stands in an address, to its scheme, host and port."""
        # UTF-8, as RFC 7616 has it, each byte as one letter: that is how http.client reads and writes headers
        user, password = (
            text.encode(errors="surrogateescape").decode("latin-1")
            for text in (authority.user or "", authority.password)
        )
        self._users[_origin(scheme, authority)] = user, password

    def http_error_401(self, req: Any, fp: Any, _code: int, _msg: str, headers: Any) -> Any:
        """Answer a challenge; urllib calls it. None where there is no login, or where it was refused."""
        fp.close()  # which urllib leaves to the garbage collector
        offered = list(_challenges(headers.get_all("WWW-Authenticate", [])))
        if not offered:
            return None
        best = max(offered, key=lambda one: one.rank)
        if not best.rank:
            raise self._unknown(offered)
        port = http.client.HTTPS_PORT if req.type == "https" else http.client.HTTP_PORT
        authority = Authority.of(f"{req.type}://{req.host}", self._shown, port)
        login = self._users.get(_origin(req.type, authority))
        tried: int = getattr(req, "logins", 0)
        stale = best.told.get("stale", "").lower() == "true"  # the password was right, and the nonce too old
        if login is None or tried > stale:
            return None
        req.logins = tried + 1
        answer = _basic(*login) if best.kind == "basic" else self._digest(best, *login, req.get_method(), req.selector)
        req.add_unredirected_header("Authorization", answer)
        return self.parent.open(req, timeout=req.timeout)

    def _digest(self, asked: _Challenge, user: str, password: str, method: str, place: str) -> str:
        def digest(*parts: str) -> str:
            return _HASHES[asked.hash](":".join(parts).encode("latin-1"), usedforsecurity=False).hexdigest()

        told, nonce = asked.told, asked.told["nonce"]
        counted: list[str] = []
        quoted = {"username": user, "realm": told["realm"], "nonce": nonce, "uri": place}
        plain = {}
        if "opaque" in told:
            quoted["opaque"] = told["opaque"]
        if "algorithm" in told:
            plain["algorithm"] = told["algorithm"]
        if "qop" in told:
            self._count = self._count + 1 if nonce == self._nonce else 1
            self._nonce = nonce
            plain |= {"nc": f"{self._count:08x}", "qop": "auth"}
            quoted["cnonce"] = secrets.token_hex(8)
            counted = [plain["nc"], quoted["cnonce"], "auth"]
        secret, action = digest(user, told["realm"], password), digest(method, place)
        quoted["response"] = digest(secret, nonce, *counted, action)
        words = [f'{name}="{_escaped(value)}"' for name, value in quoted.items()]
        return "Digest " + ", ".join([*words, *(f"{name}={value}" for name, value in plain.items())])

    def _unknown(self, offered: list[_Challenge]) -> SourceError:
        if any(one.is_digest for one in offered):
            return SourceError(
                f"{self._shown} wants digests of whole messages (auth-int), which are not known here.",
                "Set the camera to digests of qop=auth, or to basic logins.",
                persistent=True,
            )
        return SourceError(
            f"{self._shown} wants a login of a kind that is not known here.",
            "Set the camera to digest (MD5 or SHA-256) or basic logins.",
            persistent=True,
        )


def _challenges(headers: Iterable[str]) -> Iterable[_Challenge]:
    """What is offered in some headers, of which each may offer several kinds."""
    for header in headers:
        challenge = _Challenge("", {})
        for part in _PART.finditer(re.sub(r"[\r\n]+", "", header)):  # a long one may be folded
            name, quoted, plain = part.groups()
            if quoted is None and plain is None:
                challenge = _Challenge(name.lower(), {})
                yield challenge
            else:
                challenge.told[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) if plain is None else plain


def _origin(scheme: str, authority: Authority) -> tuple[str, str, int]:
    return scheme, authority.host.lower(), authority.port


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()


def _escaped(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text)
