"""Requests that no client should send, made from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Abuse", "abuses"]

HOST = b"Host: localhost\r\n"
END = b"\r\n"


@dataclass(frozen=True)
class Abuse:
    """Bytes to send.

    Attributes:
        kind: What is wrong with them.
        data: The bytes.
        is_whole: The server can tell that it is wrong; else it waits for more.
    """

    kind: str
    data: bytes
    is_whole: bool = True


def abuses(seed: int, count: int) -> Iterator[Abuse]:
    """That many, of all kinds in turn."""
    drawn = random.Random(seed)
    kinds: list[Callable[[random.Random], Abuse]] = [
        _method,
        _path,
        _version,
        _header,
        _large_header,
        _length,
        _chunks,
        _body,
        _noise,
        _truncated,
        _pipelined,
        _host,
        _origin,
        _token,
        _handshake,
    ]
    for number in range(count):
        yield kinds[number % len(kinds)](drawn)


def _method(drawn: random.Random) -> Abuse:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~0123456789"
    word = bytes(drawn.choice(letters) for _ in range(drawn.choice([1, 5, 40, 3000])))
    method = drawn.choice([b"PUT", b"PATCH", b"OPTIONS", b"TRACE", b"get", b"CONNECT", b"", b"G\xc4T", b"Z" + word])
    return Abuse("method", method + b" / HTTP/1.1\r\n" + HOST + END)


def _path(drawn: random.Random) -> Abuse:
    parts = [b"..", b"%2e%2e", b"a/../..", b"%00", b"%0d%0aX: y", b"\\", b"%5c", b"a" * 3000, b"%ff%fe", b"//", b"."]
    path = drawn.choice([b"/", b"/static/", b"/api/"]) + drawn.choice(parts) + drawn.choice([b"", b"/", b"/etc/passwd"])
    other = drawn.choice([b"http://localhost/", b"*", b"localhost:443", b"a", b"/\xe4", b"/?" + b"a" * 3000, b"/?%00"])
    bad = drawn.choice([path, other]).replace(b"/a//", b"/../")
    return Abuse("path", b"GET " + bad.replace(b"////", b"//") + b" HTTP/1.1\r\n" + HOST + END)


def _version(drawn: random.Random) -> Abuse:
    version = drawn.choice(
        [
            b"HTTP/0.9",
            b"HTTP/2.0",
            b"HTTP/1.2",
            b"HTTP/9.9",
            b"http/1.1",
            b"HTTP/1",
            b"HTTP/11.1",
            b"",
            b"HTTP/1.1 ",
            b"RTSP/1.0",
            b"HTTP/-1.1",
            b"HTTP/1.1\0",
        ]
    )
    return Abuse("version", b"GET / " + version + b"\r\n" + HOST + END)


def _header(drawn: random.Random) -> Abuse:
    line = drawn.choice(
        [
            b"no colon",
            b": no name",
            b"a name: x",
            b"X : y",
            b"X\0: y",
            b"X: \0",
            b"X: \x7f\x01",
            b"\xe4: y",
            b"Host: other",
            b"Origin: a\r\nOrigin: b",
            b"Content-Type: a\r\nContent-Type: b",
            b"X: a\rb",
        ]
    )
    head = b" folded\r\n" + HOST if drawn.random() < 0.1 else HOST
    return Abuse("header", b"GET / HTTP/1.1\r\n" + head + line + END + END)


def _large_header(drawn: random.Random) -> Abuse:
    size = drawn.choice([17_000, 70_000, 300_000])
    lines = drawn.choice(
        [b"X: " + b"a" * size, b"Cookie: " + b"a=b; " * (size // 5), b"X: y\r\n" * (size // 5), b"a" * size]
    )
    end = drawn.choice([b"", END + END])
    return Abuse("large header", b"GET / HTTP/1.1\r\n" + HOST + lines + end)


def _length(drawn: random.Random) -> Abuse:
    length = drawn.choice(
        [
            b"-1",
            b"+5",
            b"0x5",
            b"5,6",
            b"1e3",
            b" ",
            b"9" * 30,
            b"70000",
            b"9" * 19,
            b"5\r\nContent-Length: 6",
            b"5\r\nTransfer-Encoding: chunked",
            b"5 5",
            b"\xb2",
        ]
    )
    return Abuse("length", b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: " + length + END + END + b"token")


def _chunks(drawn: random.Random) -> Abuse:
    head = b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
    if drawn.random() < 0.3:
        coding = drawn.choice(
            [b"gzip", b"identity", b"chunked, chunked", b"xchunked", b"chunked\r\nTransfer-Encoding: a"]
        )
        return Abuse("coding", head + b"Transfer-Encoding: " + coding + END + END + b"0\r\n\r\n")
    chunk = drawn.choice(
        [
            b"zz\r\n",
            b"-1\r\n",
            b"0x5\r\n",
            b"F" * 30 + b"\r\n",
            b"\r\n\r\n",
            b"5\r\nhelloXX5\r\n",
            b"5;" + b"a" * 20_000,
            b"1\r\na\r\n" * 70_000 + b"0\r\n\r\n",
            b"20000\r\n" + b"a" * 0x20000 + b"\r\n0\r\n\r\n",
        ]
    )
    return Abuse("chunk", head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)


def _body(drawn: random.Random) -> Abuse:
    kind = drawn.choice(
        [b"text/plain", b"application/json", b"multipart/form-data; boundary=a", b"application/xml", b"\xff", b""]
    )
    body = drawn.choice(
        [b"{", b"[" * 5000, drawn.randbytes(200), b"token=", b'{"source": "file:///etc/passwd"}', b"a" * 65536]
    )
    path = drawn.choice([b"/api/sources", b"/login", b"/", b"/healthz"])
    head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Type: " + kind
    return Abuse("body", head + b"\r\nContent-Length: " + str(len(body)).encode() + END + END + body)


def _noise(drawn: random.Random) -> Abuse:
    noise = drawn.randbytes(drawn.choice([1, 30, 1000, 40_000])) + b"\0\r\n\r\n"
    return Abuse(
        "noise", drawn.choice([noise, b"\x16\x03\x01" + noise, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n"])
    )


def _truncated(drawn: random.Random) -> Abuse:
    whole = (
        b"POST /login HTTP/1.1\r\n"
        + HOST
        + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 20\r\n\r\ntoken=a"
    )
    return Abuse("truncated", whole[: drawn.randrange(len(whole))], is_whole=False)


def _pipelined(drawn: random.Random) -> Abuse:
    one = b"PUT / HTTP/1.1\r\n" + HOST + END
    return Abuse("pipelined", one * drawn.choice([2, 20, 400]) + drawn.randbytes(20) + b"\r\n\r\n")


def _host(drawn: random.Random) -> Abuse:
    host = drawn.choice(
        [
            b"evil.example",
            b"localhost.",
            b"localhost@evil.example",
            b"evil@localhost",
            b"[::1%25lo]",
            b"127.0.0.1.a",
            b"0.0.0.0",
            b"10.0.0.1",
            b"localhost:99999",
            b"localhost, a",
            b"",
            b"\xff",
            b"a" * 5000,
        ]
    )
    lines = drawn.choice([b"Host: " + host + END, b"Host: " + host + b"\r\nX-Forwarded-Host: localhost\r\n", b""])
    return Abuse("host", b"GET / HTTP/1." + drawn.choice([b"0", b"1"]) + END + lines + END)


def _origin(drawn: random.Random) -> Abuse:
    origin = drawn.choice(
        [b"null", b"http://evil.example", b"http://localhost:1", b"http://localhost.evil.example", b"\xff"]
    )
    method = drawn.choice([b"GET / ", b"POST /login ", b"GET /ws ", b"GET /healthz "])
    line = drawn.choice([b"Origin: " + origin, b"Sec-Fetch-Site: cross-site"])
    return Abuse("origin", method + b"HTTP/1.1\r\n" + HOST + line + END + END)


def _token(drawn: random.Random) -> Abuse:
    token = drawn.choice([b"", b"a" * 8000, drawn.randbytes(12).hex().encode(), b"\xff\xfe", b"Bearer"])
    line = drawn.choice(
        [b"Authorization: Bearer " + token, b"Cookie: fcn_edge=" + token, b"Authorization: Basic " + token]
    )
    head = b"POST /api/sources HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 2\r\n"
    return Abuse("token", head + line + END + END + b"{}")


def _handshake(drawn: random.Random) -> Abuse:
    lines = [
        b"GET /ws HTTP/1.1",
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    if drawn.random() < 0.4:  # good, and then frames that are none
        frame = drawn.choice([b"\x81\x05hello", b"\xff" * 20, b"\x80\x80\0\0\0\0", b"\x81\xff\xff" + b"\xff" * 20])
        return Abuse("frame", b"\r\n".join([*lines, b"", b""]) + frame)
    bad = drawn.choice(
        [
            (0, b"POST /ws HTTP/1.1"),
            (0, b"GET /ws HTTP/1.0"),
            (1, b"Host: evil"),
            (4, b"Sec-WebSocket-Version: 8"),
            (4, b"X: y"),
            (5, b"Sec-WebSocket-Key: short"),
            (5, b"Origin: http://evil"),
            (0, b"GET /../ws HTTP/1.1"),
            (3, b"Connection: Upgrade\r\nContent-Length: 5"),
        ]
    )
    lines[bad[0]] = bad[1]
    return Abuse("handshake", b"\r\n".join([*lines, b"", b""]))
