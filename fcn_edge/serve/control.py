"""Sources that are added, paused and removed over HTTP.

    POST /api/sources {"source": "rtsp://10.0.0.5/stream"}      DELETE /api/sources/ID
    POST /api/sources/ID/pause      POST /api/sources/ID/resume      GET /api/sources

Who may ask is decided before a request comes here.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fcn_edge.errors import FcnEdgeError, needed_for
from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.runtime.source_set import Sources
from fcn_edge.runtime.source_status import SourceStatus
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.serve.admission import Admission
from fcn_edge.serve.posted import posted_text
from fcn_edge.serve.refusal import Refusal
from fcn_edge.text import printable

with needed_for("The live page"):
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

__all__ = ["MOST_SOURCES", "Control", "control_routes"]

MOST_SOURCES = 64
LAST_NUMBER = 65_535
"""A number of a source has two bytes in what is sent to browsers."""

Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """Changes the sources of a run for those who may. Any thread may use it.

    Args:
        sources: The sources of the run.
        listed: The addresses that it began with.
        allowed: Patterns of those that may be added.

    Raises:
        UsageError: A pattern can match nothing, or names a kind of source that patterns do not allow.
    """

    def __init__(self, sources: Sources, listed: Iterable[SourceAddress] = (), allowed: Iterable[str] = ()) -> None:
        self._sources = sources
        self._admission = Admission(listed, allowed)
        self._lock = threading.Lock()

    def add(self, text: str) -> SourceStatus:
        """Add a source.

        Args:
            text: Its address.

        Raises:
            Refusal: It is not allowed, is there already, or there are too many.
            UsageError: The address makes no sense.
            SourceError: There is no such file.
        """
        if self._sources.fixed:
            raise Refusal(403, "This run takes no further sources.", "Start it with --allow-source PATTERN.")
        address = self._admission.admitted(text)
        with self._lock:  # else two could pass the checks at once
            if address.text in self._sources:
                raise Refusal(
                    409,
                    f"The source {printable(address.text)} is there already, or is still being removed.",
                    "Remove it first, and wait some seconds.",
                )
            if len(self._sources) >= MOST_SOURCES or self._sources.count >= LAST_NUMBER:
                raise Refusal(
                    409,
                    f"There are {MOST_SOURCES} sources, or were {LAST_NUMBER}: no more fit.",
                    "Remove one, or start anew.",
                )
            number = self._sources.number_of(self._sources.add(address))
        for status in self._sources.statuses():
            if status.number == number:
                return status
        raise Refusal(409, f"The source {printable(address.text)} was removed meanwhile.")

    def remove(self, label: str) -> None:
        """Remove a source.

        Raises:
            Refusal: There is none of that name.
        """
        self._change(label, self._sources.remove)

    def pause(self, label: str) -> None:
        """Pause a source.

        Raises:
            Refusal: There is none of that name, or it has ended.
        """
        self._change(label, self._sources.pause)

    def resume(self, label: str) -> None:
        """Go on with a source that was paused.

        Raises:
            Refusal: There is none of that name, or it has ended.
        """
        self._change(label, self._sources.resume)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of ``GET /api/sources``: what is there, and what may be added."""
        return {
            "sources": [
                {
                    "id": status.label,
                    "number": status.number,
                    "uri": printable(status.id),
                    "state": status.state,
                    "paused": status.paused,
                }
                for status in self._sources.statuses()
            ],
            "fixed": self._sources.fixed,
            "listed": list(self._admission.listed),
            "allowed": list(self._admission.patterns),
            "most": MOST_SOURCES,
        }

    def _change(self, label: str, change: Callable[[str], None]) -> None:
        for status in self._sources.statuses():
            if status.label == label:
                try:
                    return change(status.id)
                except FcnEdgeError:  # it ended this very moment, or a while ago
                    break
        raise Refusal(404, f"There is no source {printable(label, 64)!r} that runs.", "GET /api/sources lists them.")


def control_routes(control: Control) -> list[Route]:
    """The routes of the interface, for an application."""

    async def sources(request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse(control.to_json())
        text = await posted_text(request, "source")
        # it looks for files, which a network may serve
        added = await run_in_threadpool(control.add, text)
        return JSONResponse({"id": added.label, "number": added.number}, 201)

    def changing(change: Callable[[str], None]) -> Handler:
        async def changed(request: Request) -> Response:
            await run_in_threadpool(change, request.path_params["id"])
            return Response(status_code=204)

        return changed

    return [
        Route("/api/sources", _answering(sources), methods=["GET", "POST"]),
        Route("/api/sources/{id}", _answering(changing(control.remove)), methods=["DELETE"]),
        Route("/api/sources/{id}/pause", _answering(changing(control.pause)), methods=["POST"]),
        Route("/api/sources/{id}/resume", _answering(changing(control.resume)), methods=["POST"]),
    ]


def _answering(handler: Handler) -> Handler:
    """The handler, with errors as JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refused:
            return Response(refused.body, refused.status, media_type="application/json")
        except FcnEdgeError as error:
            told = {"error": prose_without_passwords(error.message), "fix": prose_without_passwords(error.fix)}
            return JSONResponse(told, 400)

    return answer
