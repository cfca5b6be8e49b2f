"""Texts of others in our sentences: on one line, without control characters, short; and quoted in commands to paste.

Names in files, paths, and what other libraries say may hold anything: escape sequences that a terminal obeys, line
breaks that fake a second message, characters that turn the direction of what follows, five thousand letters.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Literal

__all__ = ["command_line", "listed", "printable", "quoted", "whole"]

_CUT = " ... "
_MOST_DIGITS = 18
_LONGEST_WORD = 1000
"""Letters of a word in a command at most; longer ones are no path that anybody has."""


def printable(text: str, most: int | None = None, cut: Literal["middle", "end"] = "middle") -> str:
    r"""The text on one line, with line breaks and control characters as escapes, such as ``\n`` and ``\x1b``.

    So are characters that turn the direction of what follows, spaces that look like others, and the bytes of names
    that are not UTF-8. What is printable already stays as it is.

    Args:
        text: Any text.
        most: Letters at most. Of a longer text with an address, what may be a password is left out first: cut in two,
            nothing would know it as one.
        cut: What is left out of a longer text. The end of a command: without its middle it would be another command.
    """
    if most is not None and len(text) > most:  # escapes of a text of megabytes are not made to be thrown away
        text = _shortened(text, most, cut)
    if not text.isprintable():
        text = "".join(map(_escaped, text))
    return text if most is None else _shortened(text, most, cut)


def quoted(text: str | os.PathLike[str]) -> str:
    """A word of a command to paste: a shell takes it for one word, and for nothing but a word.

    Control characters and bytes that are not UTF-8 stand as escapes between ``$'`` and ``'``, which bash and zsh turn
    back into what they were. A path that begins like an option gets ``./`` in front.
    """
    word = os.fspath(text)
    if word.startswith("-") and not isinstance(text, str):
        word = f"./{word}"
    if len(word) > _LONGEST_WORD:
        word = printable(word, _LONGEST_WORD)
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(_in_dollar_quotes(one) for one in word) + "'"


def command_line(*words: str | os.PathLike[str]) -> str:
    """A command to paste of its words, each quoted where a shell would see more in it than a word."""
    return " ".join(map(quoted, words))


def listed(names: Sequence[object], most: int = 8) -> str:
    """The names with commas between them; beyond ``most``, the first ones and how many more there are."""
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def whole(text: str) -> int | None:
    """The whole number that a text is: digits alone, of ASCII, and no more than 18; else None.

    ``int`` takes digits of other scripts, signs and spaces, and fails at some thousands of digits.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")


def _in_dollar_quotes(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    try:
        data = letter.encode("utf-8", "surrogateescape")  # how the names of files hold bytes that are not UTF-8
    except UnicodeEncodeError:
        data = letter.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)


def _shortened(text: str, most: int, cut: Literal["middle", "end"]) -> str:
    if len(text) <= most:
        return text
    scheme, host = text.find(":/"), text.rfind("@")
    if 0 <= scheme < host:
        text = f"{text[:scheme]}://***@{text[host + 1 :]}"
        if len(text) <= most:
            return text
    begin = (most - len(_CUT) + 1) // 2
    end = text[len(text) - (most - len(_CUT) - begin) :]
    if scheme >= 0:  # no word that is left may be a part of a secret
        bare = text.replace("='", '="').partition('="')[0]
        end = end.partition(" ")[2] if len(bare) == len(text) else ""
        text = text if end else bare
    if cut == "end" or not end:
        return text[: most - len(_CUT) + 1] + _CUT.rstrip()
    return text[:begin] + _CUT + end
