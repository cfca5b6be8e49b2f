"""What the live page answers: its routes, without the question who may ask (``guard``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fcn_edge.serve.pictures import Kind, Picture, SourcePictures
from fcn_edge.serve.viewers import Viewers

__all__ = ["Answers", "page_app"]

STATIC = Path(__file__).parent / "static"
LOOK_EVERY = 0.02
"""Seconds between two looks for a newer picture, for who takes the stream of JPEGs."""
BOUNDARY = "fcn-edge"
MOST_STREAMS = 64
"""Of JPEGs; each is a connection, of which others need some."""
ENCODING = 2
"""Threads that make pictures at once. However many ask, the others stay free for what takes no time; and each thread
keeps the memory of the pictures that it has made."""


@dataclass(frozen=True)
class Answers:
    """Where the answers come from.

    Attributes:
        viewers: Serves WebSockets.
        pictures: Gives the pictures of a source by its ID; None where there is no such source.
        sources: Gives the IDs of the sources.
        status: Gives the status with the history, as a JSON object's text.
        metrics: Gives the metrics and their content type.
        ready: Says whether pictures of all sources come, and if not, why.
        further: Routes of other parts: logging in, changing sources.
    """

    viewers: Viewers
    pictures: Callable[[str], SourcePictures | None]
    sources: Callable[[], Sequence[str]]
    status: Callable[[], str]
    metrics: Callable[[], tuple[bytes, str]]
    ready: Callable[[], tuple[bool, str]]
    further: Sequence[BaseRoute] = ()


def page_app(answers: Answers) -> Starlette:
    """The application of the live page.

    Args:
        answers: Where the answers come from.
    """
    limiter = CapacityLimiter(ENCODING)
    streams: set[object] = set()

    def page(_request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readiness(_request: Request) -> Response:
        is_ready, sentence = answers.ready()
        return PlainTextResponse(f"{sentence}\n", 200 if is_ready else 503)

    def metrics(_request: Request) -> Response:
        content, kind = answers.metrics()
        return Response(content, headers={"content-type": kind})

    def status(_request: Request) -> Response:
        return Response(answers.status(), media_type="application/json")

    async def picture_of(pictures: SourcePictures, kind: Kind) -> Picture | None:
        return await to_thread.run_sync(pictures.picture, kind, limiter=limiter)

    async def snapshot(request: Request) -> Response:
        kind: Kind = "camera" if request.query_params.get("overlay") == "0" else "overlay"
        pictures = await run_in_threadpool(_asked_for, answers, request)
        if isinstance(pictures, Response):
            return pictures
        return _one_picture(await picture_of(pictures, kind), "image/jpeg")

    async def mask(request: Request) -> Response:
        pictures = await run_in_threadpool(_asked_for, answers, request)
        if isinstance(pictures, Response):
            return pictures
        return _one_picture(await picture_of(pictures, "mask"), "image/png")

    async def jpegs(request: Request) -> Response:
        pictures = await run_in_threadpool(_asked_for, answers, request)
        if isinstance(pictures, Response):
            return pictures
        if len(streams) >= MOST_STREAMS:
            busy = {"error": "Too many take pictures as JPEG already.", "fix": "Open the page, or ask for snapshots."}
            return JSONResponse(busy, 503, headers={"retry-after": "10"})
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        # who asks for the head alone would wait for an end that does not come
        if request.method == "HEAD":
            return StreamingResponse(iter(()), media_type=kind)
        return StreamingResponse(_counted(_jpegs(pictures, picture_of), streams), media_type=kind)

    return Starlette(
        exception_handlers={HTTPException: _no_such_thing},
        routes=[
            Route("/", page),
            Route("/healthz", health),
            Route("/readyz", readiness),
            Route("/metrics", metrics),
            Route("/status.json", status),
            Route("/snapshot.jpg", snapshot),
            Route("/mask.png", mask),
            Route("/stream.mjpg", jpegs),
            WebSocketRoute("/ws", answers.viewers.serve),
            *answers.further,
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
    )


def _no_such_thing(request: Request, error: Exception) -> Response:
    """What is asked for is not here, or takes no such method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        taken = (error.headers or {}).get("Allow", "GET, HEAD")  # static files do not say in every version
        said = {"error": f"This place takes no {request.method}.", "fix": f"It takes {taken}."}
    else:
        said = {"error": "There is nothing at this place.", "fix": "The page is at /, and says what there is."}
    return JSONResponse(said, error.status_code, headers=error.headers)


def _asked_for(answers: Answers, request: Request) -> SourcePictures | Response:
    """The pictures of the source that a request names, or of the only one; an answer where there is none."""
    name = request.query_params.get("source")
    there = answers.sources()
    if name is None and len(there) == 1:
        name = there[0]
    listed = f"Those that are there: {', '.join(there) or 'none'}."
    if name is None:
        unsaid = {"error": "The request does not say of which source.", "fix": f"Add ?source=ID. {listed}"}
        return JSONResponse(unsaid, 400)
    pictures = answers.pictures(name)
    if pictures is None:
        return JSONResponse({"error": "There is no such source.", "fix": listed}, 404)
    return pictures


def _one_picture(picture: Picture | None, media_type: str) -> Response:
    """A picture, without a name of its own: browsers would prefer that to the page's, of source and time."""
    if picture is None:
        error = {"error": "No picture of this source has come yet.", "fix": "Ask again in a moment; see /status.json."}
        return JSONResponse(error, 503, headers={"retry-after": "1"})
    return Response(picture.data, media_type=media_type)


async def _counted(stream: AsyncIterator[bytes], streams: set[object]) -> AsyncGenerator[bytes, None]:
    """A stream that is in a set for as long as somebody takes it."""
    streams.add(stream)
    try:
        async for part in stream:
            yield part
    finally:
        streams.discard(stream)


async def _jpegs(
    pictures: SourcePictures, picture_of: Callable[[SourcePictures, Kind], Awaitable[Picture | None]]
) -> AsyncIterator[bytes]:
    """Each new picture as a part of the answer, until the source is gone; one who takes them slowly gets fewer."""
    shown = -1
    while not pictures.closed:
        if pictures.number != shown:
            picture = await picture_of(pictures, "overlay")
            if picture is not None and picture.number != shown:
                shown = picture.number
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.data)}\r\n\r\n"
                yield head.encode() + picture.data + b"\r\n"
        await asyncio.sleep(LOOK_EVERY)
