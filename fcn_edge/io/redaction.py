"""Texts as they may be printed: addresses in them may hold passwords."""

from __future__ import annotations

import re

__all__ = ["prose_without_passwords", "without_passwords"]

_HIDDEN = "***"
_HEAD = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/{1,2}")
"""Scheme and slashes; one slash is what ``Path`` leaves of two."""
_HIDDEN_ALREADY = rf"(?:[^\s:/@]*:)?\*{{3}}@(?=[^@\n]*?(?:\s{_HEAD.pattern}|\n|\Z))"
_ADDRESS = re.compile(rf"{_HEAD.pattern}(?:{_HIDDEN_ALREADY}|.*@)?\S*")
"""An address in prose. A password may hold spaces: all that precedes the line's last ``@`` belongs to the address,
unless its password is hidden already and no other ``@`` comes before the next address."""
_USERINFO = re.compile(r"(:|%3[aA]).*@", re.DOTALL)
_USER = re.compile(r"[^/?#\s]+@")
"""A name in front of a host, which is a token at some services."""
_SECRET = re.compile(
    r"(?<![A-Za-z0-9])"
    r"((?:[\w.-]*(?:pass|pwd|pswd|token|secret|signature|credential|auth)[\w.-]*|(?:[\w.-]*[-_])?(?:pw|psw)|(?:\w*[-_]?api[-_]?)?key"
    r"|sig)\s*=\s*)(\"[^\"]*\"|'[^']*'|[^&\s]+)",
    re.IGNORECASE,
)


def without_passwords(text: str) -> str:
    """An address as it may be printed: what could be a password is replaced by ``***``.

    Hidden are everything between the first colon and the last ``@`` behind the scheme (a password may hold ``/``,
    ``?``, ``#`` and ``@`` when somebody forgot to escape them, so that too much is hidden rather than too little), a
    name alone in front of the host, which may be a token, and the values of keys such as ``password``, ``token`` and
    ``key``.
    """
    found = _HEAD.match(text)
    head = found[0] if found else ""
    rest, count = _USERINFO.subn(f":{_HIDDEN}@", text[len(head) :], count=1)
    user = None if count or not head else _USER.match(rest)
    if user:
        rest = f"{_HIDDEN}@{rest[user.end() :]}"
    return head + _SECRET.sub(rf"\g<1>{_HIDDEN}", rest)


def prose_without_passwords(text: str) -> str:
    """A text of many words in which addresses may stand, such as a library's error, without their passwords."""
    return _ADDRESS.sub(lambda found: without_passwords(found[0]), text)
