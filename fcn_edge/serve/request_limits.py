"""How large and of what form a request may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from starlette.types import Message, Receive, Scope

from fcn_edge.serve.refusal import Refusal

__all__ = ["LARGEST_BODY", "LARGEST_HEADERS", "check_form", "headers_of", "whole_body"]

METHODS = ("GET", "HEAD", "POST", "DELETE")
LARGEST_HEADERS = 16 << 10
LARGEST_BODY = 64 << 10
LONGEST_PATH = 2000
LONGEST_QUERY = 2000

_ONCE = frozenset({b"host", b"origin", b"authorization", b"content-type", b"content-length", b"transfer-encoding"})
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CLOSE = [(b"connection", b"close")]


class ClientLeft(Exception):  # noqa: N818 - nobody is left who could be told
    """The client went away before its request was whole."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers of a request by name in lower case; several cookies become one.

    Raises:
        Refusal: They are too large, or one that counts stands there twice.
    """
    headers: dict[bytes, bytes] = {}
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if name in headers and (name in _ONCE or name.startswith(b"sec-")):
            raise Refusal(400, f"The request has the header {name.decode('latin-1')} twice.", "", _CLOSE)
        if _CONTROL.search(value.replace(b"\t", b" ")):
            raise Refusal(400, "A header of the request holds control characters.", "", _CLOSE)
        headers[name] = headers[name] + b"; " + value if name in headers else value
    if size > LARGEST_HEADERS:
        raise Refusal(
            431,
            f"The request's headers are larger than {LARGEST_HEADERS >> 10} KB.",
            "Delete the cookies that other pages of this host have set.",
            _CLOSE,
        )
    return headers


def check_form(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """Refuse a request by its line and what it says of its body.

    Raises:
        Refusal: Its method, path, version or declared body is none that the page takes.
    """
    if scope["http_version"] not in ("1.0", "1.1"):
        raise Refusal(400, "The page speaks HTTP/1.1.", "", _CLOSE)
    method = scope.get("method", "GET")
    if method not in METHODS:
        allowed = ", ".join(METHODS)
        raise Refusal(405, "The page does not know the request's method.", f"Use one of: {allowed}.", [
            (b"allow", allowed.encode())
        ])  # fmt: skip
    _check_path(scope["raw_path"], scope["query_string"])
    if b"content-length" in headers and b"transfer-encoding" in headers:
        # a proxy may read its end elsewhere than we do, and take the rest for another's request
        raise Refusal(400, "The request gives its length twice: by Content-Length and in chunks.", "", _CLOSE)
    length = int(headers.get(b"content-length", b"0"))
    if length > LARGEST_BODY:
        raise _too_large()
    if method in ("GET", "HEAD") and (length or b"transfer-encoding" in headers):
        raise Refusal(400, f"A {method} request takes no body.", "", _CLOSE)


async def whole_body(receive: Receive, headers: Mapping[bytes, bytes], content_type: str) -> Receive:
    """Read the body of a changing request; returns what hands it on.

    Args:
        receive: Of ASGI.
        headers: Of the request.
        content_type: What a body has to be. Forms of other websites can send a few types without being asked first.

    Raises:
        Refusal: It is too large, or of another type.
        ClientLeft: It does not come.
    """
    given = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0")
    if (has_body or given) and given != content_type:
        raise Refusal(
            415, "The request's body is of another type than expected.", f"Send it as Content-Type: {content_type}."
        )
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientLeft
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _too_large()
        if not message.get("more_body", False):
            break
    replay: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def received() -> Message:
        return replay.pop() if replay else await receive()

    return received


def _check_path(raw_path: bytes, query: bytes) -> None:
    if len(raw_path) > LONGEST_PATH or len(query) > LONGEST_QUERY:
        raise Refusal(414, f"The request's path or query has more than {LONGEST_PATH} characters.")
    path = unquote_to_bytes(raw_path)
    # "http://other/" and "other:443" are for proxies
    is_path = path.startswith(b"/") and not path.startswith(b"//")
    is_plain = b"\\" not in path and not {b".", b".."} & set(path.split(b"/"))
    if not (is_path and is_plain and _is_utf8(path)) or _CONTROL.search(path + unquote_to_bytes(query)):
        raise Refusal(400, "The request's path or query is none that a page has.")


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _too_large() -> Refusal:
    return Refusal(413, f"The request's body is larger than {LARGEST_BODY >> 10} KB.")
