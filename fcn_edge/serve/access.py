"""Who may look at the live page, and who may change what it shows.

On a loopback address anybody may look: whoever gets there is on this machine. Elsewhere, and for every change, it takes
the token: as a header of each request, from programs, or typed once into the login form, for a cookie.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from starlette.types import Scope

from fcn_edge.errors import UsageError
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.refusal import Refusal
from fcn_edge.serve.sessions import LIFETIME_S, WINDOW_S, Sessions, WrongTokens

__all__ = ["Access"]

_HOW_TO_SET = (
    "Set one when the run starts: --token-file FILE, or the environment variable FCN_EDGE_TOKEN, with at least 16"
    " characters."
)
_HOW_TO_SHOW = "Log in at /login, or send the header Authorization: Bearer TOKEN."


class Access:
    """The token of a page, and the browsers that have shown it.

    Args:
        address: Where the page listens.
        token: None where none is set: then anybody on this machine may look, and nobody may change anything.

    Raises:
        UsageError: Other machines reach the address, and no token is set.
    """

    def __init__(self, address: PageAddress, token: str | None) -> None:
        if token is None and not address.is_loopback:
            host = f"[{address.host}]" if ":" in address.host else address.host
            raise UsageError(
                f"Other machines reach the live page at http://{host}:{address.port}, and no token protects it.",
                f"{_HOW_TO_SET} Without one, http://:{address.port} shows the page on this machine alone.",
            )
        self._token = None if token is None else token.encode()
        self._sessions = Sessions()
        self._wrong = WrongTokens()

    @property
    def has_token(self) -> bool:
        """A token is set: changes are possible with it."""
        return self._token is not None

    def may_look(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request shows a session or the token.

        Raises:
            Refusal: It shows a wrong token, and there were too many.
        """
        return self._has_session(scope, headers) or self._shows_token(scope, headers)

    def check_change(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Let a request through that may change something. Its Origin, where it has one, is checked before.

        Raises:
            Refusal: It may not.
        """
        if self._token is None:
            raise Refusal(403, "Nothing can be changed here, because no token is set.", _HOW_TO_SET)
        if b"authorization" in headers:
            if self._shows_token(scope, headers):
                return
        elif self._has_session(scope, headers):
            if b"origin" in headers:
                return
            # browsers name it in every request that is no GET
            raise Refusal(403, "A change with the login's cookie has to name its Origin, as browsers do.", _HOW_TO_SHOW)
        raise _needs_token("A change takes the token of this page.")

    def look_refused(self) -> Refusal:
        """What who may not look is told."""
        if self._token is None:
            return Refusal(403, "Who comes from elsewhere needs a token to look, and none is set.", _HOW_TO_SET)
        return _needs_token("Looking takes the token of this page.")

    def log_in(self, scope: Scope, token: str) -> str | None:
        """The header ``Set-Cookie`` for who gives the right token; None for a wrong one.

        Raises:
            Refusal: There were too many wrong ones.
        """
        if not self._is_right(scope, token.encode("utf-8", "surrogateescape")):
            return None
        return self._cookie(scope, self._sessions.begin(), int(LIFETIME_S))

    def log_out(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        """End the sessions that a request shows; returns the header ``Set-Cookie`` that takes the cookie away."""
        for cookie in _cookies(headers, _cookie_name(scope)):
            self._sessions.end(cookie)
        return self._cookie(scope, "", 0)

    def _has_session(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        # other pages of the host may have set one of this name as well: any that is good will do
        return any(self._sessions.holds(cookie) for cookie in _cookies(headers, _cookie_name(scope)))

    def _shows_token(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        kind, _, token = headers.get(b"authorization", b"").partition(b" ")
        return kind.lower() == b"bearer" and self._is_right(scope, token.strip())

    def _is_right(self, scope: Scope, token: bytes) -> bool:
        if self._token is None:
            return False
        address = (scope.get("client") or ("",))[0]
        if self._wrong.is_guessing(address):
            raise _too_many()
        if hmac.compare_digest(token, self._token):
            return True
        if self._wrong.note(address, token):
            raise _too_many()
        return False

    def _cookie(self, scope: Scope, value: str, seconds: int) -> str:
        return f"{_cookie_name(scope)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"


def _needs_token(error: str) -> Refusal:
    return Refusal(401, error, _HOW_TO_SHOW, [(b"www-authenticate", b"Bearer")])


def _too_many() -> Refusal:
    return Refusal(
        429,
        "There were too many tries with wrong tokens.",
        "Wait a minute, and give the token that the run was started with.",
        [(b"retry-after", str(int(WINDOW_S)).encode())],
    )


def _cookie_name(scope: Scope) -> str:
    """Cookies do not know ports: two pages of one machine would log each other out."""
    return f"fcn_edge_{(scope.get('server') or ('', 0))[1]}"


def _cookies(headers: Mapping[bytes, bytes], name: str) -> list[str]:
    """The values of all cookies of this name."""
    pairs = (pair.partition("=") for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]
