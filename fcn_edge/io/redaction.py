"""Texts as they may be printed: addresses in them may hold passwords."""

from __future__ import annotations

import re

__all__ = ["prose_without_passwords", "without_passwords"]

_HIDDEN = "***"
_HEAD = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,40}:/{1,2}")
"""Scheme and slashes; one slash is what ``Path`` leaves of two. Without a bound on the scheme, a text of letters alone
would take time by its square."""
_HIDDEN_ALREADY = rf"(?:[^\s:/@]*:)?\*{{3}}@(?=[^@\n]*?(?:\s{_HEAD.pattern}|\n|\Z))"
_ADDRESS = re.compile(rf"{_HEAD.pattern}(?:{_HIDDEN_ALREADY}|.*@)\S*")
"""An address in prose before the line's last ``@``. A password may hold spaces: all that precedes this ``@`` belongs to
the address, unless its password is hidden already and no other ``@`` comes before the next address."""
_REST = re.compile(rf"{_HEAD.pattern}\S*")
"""One behind the last ``@``."""
_COLON = re.compile("(:|%3[aA])")
_USER = re.compile(r"[^/?#\s]+@")
"""A name in front of a host, which is a token at some services."""
_KEY = re.compile(r"(?<![\w.-])([\w.-]+)\s*=\s*")
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|[^&\s]+")
_SECRET = re.compile(
    r"pass|pwd|pswd|token|secret|signature|credential|auth|(?:^|[^a-z0-9])(?:pw|psw|key|sig)$|api[-_]?key$",
    re.IGNORECASE,
)
"""In the name of a value: that is not to be shown."""


def without_passwords(text: str) -> str:
    """An address as it may be printed: what could be a password is replaced by ``***``.

    Hidden are everything between the first colon and the last ``@`` behind the scheme (a password may hold ``/``,
    ``?``, ``#`` and ``@`` when somebody forgot to escape them, so that too much is hidden rather than too little), a
    name alone in front of the host, which may be a token, and the values of keys such as ``password``, ``token`` and
    ``key``.
    """
    found = _HEAD.match(text)
    head = found[0] if found else ""
    rest = text[len(head) :]
    host = rest.rfind("@") + 1
    colon = _COLON.search(rest[:host])
    user = _USER.match(rest) if head and colon is None else None
    if colon is not None:
        rest = f"{rest[: colon.start()]}:{_HIDDEN}@{rest[host:]}"
    elif user is not None:
        rest = f"{_HIDDEN}@{rest[user.end() :]}"
    return head + _without_secrets(rest)


def _without_secrets(text: str) -> str:
    parts, at = [], 0
    for key in _KEY.finditer(text):
        if key.start() < at or not _SECRET.search(key[1]):
            continue
        value = _VALUE.match(text, key.end())
        if value:
            parts += [text[at : key.end()], _HIDDEN]
            at = value.end()
    return "".join([*parts, text[at:]])


def prose_without_passwords(text: str) -> str:
    """A text of many words in which addresses may stand, such as a library's error, without their passwords."""
    return "\n".join(map(_line_without_passwords, text.split("\n")))


def _line_without_passwords(line: str) -> str:
    # one pattern for both kinds of addresses would look for an @ to the line's end from each of them
    last = line.rfind("@")
    parts, at = [], 0
    while head := _HEAD.search(line, at):
        found = (_ADDRESS if head.start() < last else _REST).match(line, head.start()) or head
        parts += [line[at : head.start()], without_passwords(found[0])]
        at = found.end()
    return "".join([*parts, line[at:]])
