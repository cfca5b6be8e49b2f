"""What the page answers, without its guard."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

import httpx
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.serve import app as module
from fcn_edge.serve.app import Answers, _counted, page_app
from fcn_edge.serve.pictures import Kind, Picture, SourcePictures
from fcn_edge.serve.viewers import Viewers

from .client import Client

Make = Callable[..., Result]


def client_of(pictures: dict[str, SourcePictures], ready: tuple[bool, str] = (True, "Frames come.")) -> Client:
    viewers = Viewers(lambda history: '{"type": "status"}', lambda _: None)
    answers = Answers(
        viewers=viewers,
        pictures=pictures.get,
        sources=lambda: tuple(pictures),
        status=lambda: '{"sources": []}',
        metrics=lambda: (b"fcn_edge_viewers 0\n", "text/plain; version=0.0.4; charset=utf-8"),
        ready=lambda: ready,
    )
    return Client(page_app(answers))


def shown(make_result: Make, name: str = "000003") -> SourcePictures:
    pictures = SourcePictures(Overlays(0.5))
    pictures.put(make_result(3, name=name))
    return pictures


def test_the_page_and_what_it_needs_come_from_here(make_result: Make) -> None:
    client = client_of({})
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/static/main.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/../app.py").status_code == 404


def test_health_and_readiness() -> None:
    assert client_of({}).get("/healthz").text == "ok\n"
    assert client_of({}).get("/readyz").text == "Frames come.\n"
    waiting = client_of({}, (False, "No frame of front (lost)."))
    assert (waiting.get("/readyz").status_code, waiting.get("/healthz").status_code) == (503, 200)


def test_status_and_metrics() -> None:
    client = client_of({})
    assert client.get("/status.json").json() == {"sources": []}
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.text == "fcn_edge_viewers 0\n"


def test_pictures_of_the_only_source_need_no_name(make_result: Make) -> None:
    client = client_of({"front": shown(make_result)})
    snapshot, mask = client.get("/snapshot.jpg"), client.get("/mask.png")
    assert (snapshot.headers["content-type"], mask.headers["content-type"]) == ("image/jpeg", "image/png")
    labels = cv2.imdecode(np.frombuffer(mask.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(labels, make_result(3).labels)
    camera = client.get("/snapshot.jpg?overlay=0")
    assert camera.content != snapshot.content
    assert camera.content == client.get("/snapshot.jpg?source=front&overlay=0").content


def test_of_several_sources_one_is_named(make_result: Make) -> None:
    client = client_of({"front": shown(make_result), "rear": shown(make_result)})
    answer = client.get("/snapshot.jpg")
    assert (answer.status_code, answer.json()["fix"]) == (400, "Add ?source=ID. Those that are there: front, rear.")
    assert client.get("/mask.png?source=rear").status_code == 200
    for path in ("/snapshot.jpg", "/mask.png", "/stream.mjpg"):
        missing = client.get(path, params={"source": "top<script>"})
        assert (missing.status_code, missing.json()["error"]) == (404, "There is no such source.")


def test_a_source_without_a_picture_says_so() -> None:
    answer = client_of({"front": SourcePictures(Overlays())}).get("/snapshot.jpg")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_page_names_what_it_saves(make_result: Make) -> None:
    client = client_of({"front": shown(make_result)})
    for path in ("/snapshot.jpg", "/mask.png"):
        assert "content-disposition" not in client.get(path).headers  # a name there goes before the page's


def test_the_head_of_the_stream_of_jpegs_comes_without_the_stream(make_result: Make) -> None:
    answer = client_of({"front": shown(make_result)}).ask("HEAD", "/stream.mjpg")
    assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
    assert answer.content == b""


def test_the_stream_of_jpegs_ends_when_its_source_is_gone(make_result: Make) -> None:
    pictures = shown(make_result)
    gone = threading.Timer(0.3, pictures.close)
    gone.start()
    answer = client_of({"front": pictures}).get("/stream.mjpg")
    gone.join()
    assert answer.content.count(b"--fcn-edge\r\nContent-Type: image/jpeg") == 1


def test_those_who_wait_for_pictures_keep_nobody_else_waiting(
    make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, go_on, begun = shown(make_result), threading.Event(), list[Kind]()
    make = pictures.picture

    def slow(kind: Kind) -> Picture | None:
        begun.append(kind)
        assert go_on.wait(60)
        return make(kind)

    monkeypatch.setattr(pictures, "picture", slow)
    app = client_of({"front": pictures}).app

    async def asked() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            waiting = [asyncio.create_task(client.get("/snapshot.jpg")) for _ in range(100)]
            while len(begun) < module.ENCODING:
                await asyncio.sleep(0.01)
            others = [await asyncio.wait_for(client.get(path), 30) for path in ("/healthz", "/status.json", "/")]
            assert len(begun) == module.ENCODING
            go_on.set()
            return [answer.status_code for answer in (*others, *await asyncio.gather(*waiting))]

    try:
        assert asyncio.run(asked()) == [200] * 103
    finally:
        go_on.set()


def test_a_refusal_that_names_no_methods_is_one_in_our_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(*_: object) -> None:
        raise HTTPException(405)  # static files of older versions of Starlette do so

    monkeypatch.setattr(StaticFiles, "get_response", refuses)
    answer = client_of({}).post("/static/main.js")
    assert (answer.status_code, answer.json()["fix"]) == (405, "It takes GET, HEAD.")


def test_more_streams_of_jpegs_than_there_may_be_are_refused(
    make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcn_edge.serve.app.MOST_STREAMS", 0)
    answer = client_of({"front": shown(make_result)}).get("/stream.mjpg")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert set(answer.json()) == {"error", "fix"}


def test_a_stream_counts_for_as_long_as_somebody_takes_it() -> None:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"part"

    async def taken() -> list[int]:
        streams: set[object] = set()
        stream = _counted(parts(), streams)
        counts = [len(streams)]
        assert await anext(stream) == b"part"
        counts.append(len(streams))
        await stream.aclose()
        return [*counts, len(streams)]

    assert asyncio.run(taken()) == [0, 1, 0]


@pytest.mark.parametrize("path", ["/healthz", "/status.json", "/snapshot.jpg", "/ws"])
def test_only_looking_is_answered(path: str) -> None:
    answer = client_of({}).post(path)
    assert answer.status_code == (404 if path == "/ws" else 405)
    assert set(answer.json()) == {"error", "fix"}
