"""The body of an HTTP answer, as a file that FFmpeg reads and seeks in."""

from __future__ import annotations

import errno
import http.client
import os
from typing import TYPE_CHECKING

from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.io.closeable import Closeable
from fcn_edge.text import whole

if TYPE_CHECKING:
    from fcn_edge.runtime.sources.web import WebClient

__all__ = ["WebFile"]

SKIPPED = 1 << 16
"""Bytes that are read over rather than asked for anew."""


class WebFile(Closeable):
    """The body of an answer, as a file to read. For one thread.

    Attributes:
        name: Its address, after redirections and without a password: what relative addresses in it are relative to.
        kind: Its media type in lower case, without parameters.
        size: How many bytes it has in all; None where the server does not say.
    """

    def __init__(self, client: WebClient, url: str, response: http.client.HTTPResponse, start: int) -> None:
        self.name = response.geturl()
        self.kind = response.headers.get_content_type().lower() if response.headers.get("Content-Type") else ""
        length = whole(response.headers.get("Content-Length", ""))
        self.size = None if length is None else start + length
        self._ranges = response.status == 206 or response.headers.get("Accept-Ranges", "").strip().lower() == "bytes"
        self._client = client
        self._url = url
        self._response: http.client.HTTPResponse | None = response
        self._response_at = start
        self._head = b""
        self._at = start

    def head(self, count: int) -> bytes:
        """The first bytes, which are still read afterwards; fewer where the file is shorter."""
        while len(self._head) < count and (more := self._received(count - len(self._head))):
            self._head += more
        return self._head

    def read(self, count: int) -> bytes:
        """What is there, at least one byte and at most ``count``; nothing at the end, and where there is a problem."""
        data = self._head[self._at : self._at + count]
        if data or (self.size is not None and self._at >= self.size):
            self._at += len(data)
            return data
        if self._response_at != self._at and not self._skipped():
            self._hang_up()
        data = self._received(count)
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        """Whether the server gives parts of it."""
        return self._ranges and self.size is not None

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte; nothing is asked for before the next read.

        Returns:
            The byte; the negative number of an error where there is none such, which is what FFmpeg wants to hear.
        """
        to = offset + (self._at if whence == os.SEEK_CUR else (self.size or 0) if whence == os.SEEK_END else 0)
        if to < 0:
            return -errno.EINVAL
        self._at = to
        return to

    def _received(self, count: int) -> bytes:
        """What the server sends next."""
        try:
            if self._response is None:
                self._response = self._client.response(self._url, self._at, None)
                self._response_at = self._at
            data = self._response.read1(count)
            if not data and self.size is not None:
                raise ConnectionError
        except (OSError, ValueError, SourceError, http.client.HTTPException) as error:
            self._client.problem = self._client.problem or self._client.error(error)
            return b""
        self._response_at += len(data)
        return data

    def _skipped(self) -> bool:
        """Read up to where it shall be read next, where that is near."""
        if self._response is None or not 0 < self._at - self._response_at < SKIPPED:
            return False
        while self._response_at < self._at:
            if not self._received(self._at - self._response_at):
                break
        return True

    @override
    def close(self) -> None:
        self._hang_up()
        self._client.closed(self)

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None
