"""Ways to damage bytes and text, of any format."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Sequence

__all__ = ["BYTES", "EXTREMES", "EXTREMES_64", "TEXT", "WORDS", "bytes_damaged", "text_damaged"]

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
EXTREMES_64 = (*EXTREMES, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)

WORDS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "two\nlines",
    "carriage\rreturn",
    "\x9b31m",
    "\u202eright to left",
    "\ud800",
    "x\udcff",
    "\ufeff",
    "é" * 40,
    "a" * 5000,
    "../../elsewhere",
    "/absolute/elsewhere",
    "name; touch elsewhere #",
    "$(touch elsewhere)",
    "%s%n%d",
    "{0}{name}",
    "-o",
    "--help",
    "NaN",
    "null",
    "0",
    "-1",
    "9" * 30,
    "1e999",
)
"""Texts that hurt who prints, splits, opens or runs them."""

NUMBERS = (
    *("0", "-1", "-0", "1", "2", "3", "255", "256", "65535", "65536", "1.5", "-1e308", "1e999", "inf", "nan"),
    *(str(1 << power) for power in (31, 32, 62, 63, 64, 200)),
    "9" * 5000,
    "0x10",
    "1_000",
    "٣",
    "²",
)
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
MOST = 300_000
"""Bytes of an input; reproducers are meant to be looked at."""


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def _place(data: Sequence[object], chance: random.Random) -> int:
    """Somewhere in it; every third time near its beginning, where headers are."""
    reach = min(len(data), 64) if chance.random() < 0.35 else len(data)
    return chance.randrange(reach) if reach else 0


def _span(data: bytearray, chance: random.Random) -> slice:
    start = _place(data, chance)
    return slice(start, start + chance.choice((1, 2, 4, 8, 16, 64, 256, 1024)))


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        if data:
            data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[_place(data, chance) :]


def _zero(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    data[span] = bytes([chance.choice((0, 0, 0xFF))]) * len(data[span])


def _noise(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    data[span] = chance.randbytes(len(data[span]))


def _repeat(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    block = bytes(data[span])
    data[span] = (block * chance.choice((2, 3, 10, 200)))[: MOST // 2]


def _remove(data: bytearray, chance: random.Random) -> None:
    del data[_span(data, chance)]


def _move(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    block = bytes(data[span])
    del data[span]
    place = _place(data, chance)
    data[place:place] = block


def _extreme(data: bytearray, chance: random.Random) -> None:
    """A number where a length may be."""
    order = chance.choice("<>")
    kind = chance.choice("BHIQ")
    number = struct.pack(f"{order}{kind}", chance.choice(EXTREMES_64) & (1 << 8 * struct.calcsize(kind)) - 1)
    place = _place(data, chance)
    data[place : place + len(number)] = number


def _variable(data: bytearray, chance: random.Random) -> None:
    """A protobuf number where there is one of one byte."""
    place = _place(data, chance)
    data[place : place + 1] = varint(chance.choice(EXTREMES_64))


def _more(data: bytearray, chance: random.Random) -> None:
    data += chance.choice((bytes(64), chance.randbytes(64), bytes(data[:256]), b"\n", b"\xff" * 16))


STEPS = (_flip, _flip, _cut, _zero, _noise, _repeat, _remove, _move, _extreme, _extreme, _variable, _more)


def bytes_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes] = ()) -> bytes:
    """One to three damages one after the other."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(STEPS)(data, chance)
    return bytes(data[:MOST] if len(data) > max(MOST, len(whole)) else data)


def spliced(whole: bytes, chance: random.Random, wholes: Sequence[bytes]) -> bytes:
    """The beginning of one and the end of another."""
    other = chance.choice(wholes)
    return whole[: _place(whole, chance)] + other[_place(other, chance) :]


BYTES = (bytes_damaged, bytes_damaged, bytes_damaged, bytes_damaged, spliced)


def _nested(chance: random.Random) -> str:
    depth = chance.choice((50, 500, 2000, 30_000))
    opening, closing = chance.choice((("[", "]"), ('{"a":', "}"), ("(", ")"), ("{a=", "}"), ("dict(a=", ")")))
    return opening * depth + chance.choice(("", "1" + closing * depth))


def _stuttered(token: str, chance: random.Random) -> str:
    """Much of the same, which patterns that try every division never end on."""
    short = chance.choice((token, " ", "\t", "\\", "a", '"', "1,", "#", token + " "))[:20]
    return short * chance.choice((50, 2000, 20_000))


def text_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes] = ()) -> bytes:
    """One to four words, numbers or marks put in the place of others."""
    tokens = TOKEN.findall(whole.decode("utf-8", "surrogatepass"))
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = _place(tokens, chance)
        token = tokens[place] if tokens else ""
        what = chance.random()
        if what < 0.3:
            new = chance.choice(WORDS)
        elif what < 0.55:
            new = chance.choice(NUMBERS)
        elif what < 0.65:
            new = _nested(chance)
        elif what < 0.75:
            new = _stuttered(token, chance)
        elif what < 0.85:
            new = ""
        elif what < 0.95:
            new = chance.choice(tokens or [""])
        else:
            new = token + token
        tokens[place : place + 1] = [new] if chance.random() < 0.7 else [token, new]
    return "".join(tokens).encode("utf-8", "surrogatepass")


TEXT = (text_damaged, text_damaged, text_damaged, bytes_damaged, spliced)
