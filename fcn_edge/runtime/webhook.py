"""Changes of sources, posted as JSON to an address of the web.

    {"source": "rtsp://camera/1", "state": "lost", "grade": "fair", "message": "The camera ...",
     "time": "2026-05-04T03:02:01.234Z"}

One POST for each change of a source's state or grade, in the order in which they happened. A server that does not
answer takes nothing from the run: a thread of its own posts, tries again a few times, and drops the oldest when too
many wait.
"""

from __future__ import annotations

import base64
import http.client
import logging
import queue
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from typing_extensions import Self, override

from fcn_edge.errors import UsageError
from fcn_edge.io.json_text import json_text
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.events import Event, GradeChanged, SourceChanged
from fcn_edge.runtime.waiting import item_within

__all__ = ["Webhook"]

CAPACITY = 256
TIMEOUT = 5.0
"""Seconds that one attempt may take."""
PAUSES = (0.5, 2.0)
"""Seconds before the second and the third attempt."""
CLOSE_TIMEOUT = 3.0
"""Seconds that closing waits for what is left to be posted."""

_log = logging.getLogger(__name__)


class Webhook:
    """A listener that posts every ``SourceChanged`` and ``GradeChanged``. A ``with`` block closes it.

    Args:
        url: ``http://`` or ``https://``; a name and password in it are sent as basic authentication. Redirects are not
            followed. Nothing but scheme and host of it is ever printed: the rest may be a secret.

    Raises:
        UsageError: It is no such address.
    """

    def __init__(self, url: str) -> None:
        self._url, self._headers = _taken_apart(url)
        self._shown = "://".join(urlsplit(self._url)[:2])
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._waiting: Channel[bytes] = Channel(CAPACITY, newest=True)
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._said = False
        self._deadline: float | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, event: Event) -> None:
        """Queue what the event says, if it is a change of a source; takes no time."""
        if isinstance(event, SourceChanged | GradeChanged) and self._deadline is None:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fcn-edge webhook", daemon=True)
                self._thread.start()
            self._waiting.put(_body(event))

    def close(self) -> None:
        """Give what waits a few seconds to be posted, and end. May be called more than once."""
        if self._deadline is not None:
            return
        self._deadline = time.monotonic() + CLOSE_TIMEOUT
        self._waiting.end()
        self._wake.put(None)
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT + 1)  # an attempt that runs ends with the deadline, or a moment later

    def _run(self) -> None:
        for body in self._waiting:
            if self._left() <= 0:
                return
            self._post(body)

    def _post(self, body: bytes) -> None:
        problem = ""
        for pause in (0.0, *PAUSES):
            if pause and not self._rested(pause):
                break
            problem = self._problem_of(body)
            if not problem:
                return
        if not self._said:
            self._said = True
            _log.warning("The webhook at %s fails: %s. What it was to be told is dropped.", self._shown, problem)

    def _rested(self, pause: float) -> bool:
        """Wait before another attempt; False where there is no time for one."""
        if self._deadline is None:
            try:
                item_within(self._wake, pause)
            except queue.Empty:
                return True
        return self._left() > 0

    def _problem_of(self, body: bytes) -> str:
        """Post it once; gives what went wrong, in our words."""
        request = urllib.request.Request(self._url, body, self._headers)
        try:
            with self._opener.open(request, timeout=max(min(TIMEOUT, self._left()), 0.1)):
                return ""
        except urllib.error.HTTPError as error:
            error.close()
            return f"it answers with status {error.code}"
        except TimeoutError:
            return "it does not answer in time"
        except urllib.error.URLError as error:
            late = isinstance(error.reason, TimeoutError)
            return "it does not answer in time" if late else "it cannot be reached"
        except (OSError, http.client.HTTPException, ValueError):
            return "the connection broke"

    def _left(self) -> float:
        return TIMEOUT if self._deadline is None else self._deadline - time.monotonic()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is sent elsewhere becomes a GET, or tells a stranger; a redirect is a failure here."""

    @override
    def redirect_request(self, *_: Any) -> None:
        return None


def _body(event: SourceChanged | GradeChanged) -> bytes:
    changed = datetime.fromtimestamp(event.unix_ns / NS_PER_S, timezone.utc)
    text = changed.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {
        "source": event.source,
        "state": event.state,
        "grade": event.grade,
        "message": event.message,
        "time": text,
    }
    return json_text(told).encode()


def _taken_apart(url: str) -> tuple[str, dict[str, str]]:
    """The URL without name and password, and the headers to send.

    Raises:
        UsageError: It is no address of the web.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "fcn_edge"}
    wrong = UsageError("The webhook is no address of the web.", "Give it as https://host/path.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    # what urllib would refuse later, with the address in its text
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise wrong
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    return urlunsplit((parts.scheme, place, parts.path or "/", parts.query, "")), headers
