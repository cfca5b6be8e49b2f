"""The JSON object that somebody posts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fcn_edge.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["posted_text"]

MOST_BYTES = 16_384
EXAMPLE = 'Send one such as {"source": "rtsp://10.0.0.5/stream"}.'


async def posted_text(request: Request, key: str) -> str:
    """The one text in the JSON object of a request.

    Args:
        request: The request, whose body nobody has read yet.
        key: Name of the text; there may be no other.

    Raises:
        Refusal: It is something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "A JSON object was expected.", "Send the header Content-Type: application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refusal(413, f"The request is larger than {MOST_BYTES} bytes.", EXAMPLE)
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):  # of both: no UTF-8, no JSON, a number of thousands of digits
        raise Refusal(400, "The request is no JSON.", EXAMPLE) from None
    if not isinstance(found, dict) or found.keys() != {key} or not isinstance(found[key], str):
        raise Refusal(400, f"A JSON object with {key!r} alone, a text, was expected.", EXAMPLE)
    text: str = found[key]
    return text


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal(400, "A key is there twice.", EXAMPLE)
    return found
