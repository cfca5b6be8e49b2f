"""The live page as a sink of a run, over HTTP on this machine."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("starlette")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import fcn_edge
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.source_set import Sources
from fcn_edge.serve.page import LivePage
from fcn_edge.testing.engine import FakeEngine
from tests.waits import until

STREET = "synthetic://street?seed=3&size=48x64&fps=25"
TOKEN = "a-token-of-more-than-16-letters"


class Served:
    """A page and its run, in a thread."""

    def __init__(self, *sources: str, **more: Any) -> None:
        open_set = bool(more.get("allowed"))
        self.sources = Sources(*sources, stay=open_set, fixed=not open_set)
        self.segmenter = Segmenter(FakeEngine())
        self.page = LivePage("http://:0", self.segmenter, self.sources, **more)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in tuple(self.sources):
            with suppress(UsageError):
                self.sources.remove(name)
        self.sources.close()
        self._thread.join()
        self.page.close()
        self.page.close()
        self.segmenter.close()

    def ask(self, path: str, method: str = "GET", body: Any = None, token: str = "") -> tuple[int, bytes]:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.page.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("status.json")[1])
        return found

    def connect(self) -> ClientConnection:
        return connect(self.page.url.replace("http", "ws") + "ws", compression=None, max_size=None, proxy=None)

    def _run(self) -> None:
        run(self.sources, self.segmenter, [self.page], realtime=True)


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(STREET) as one:
        yield one


def all_messages(connection: ClientConnection) -> None:
    """Take what comes until the connection is closed."""
    while True:
        connection.recv(timeout=30)


def messages(connection: ClientConnection, kind: int, count: int) -> list[bytes]:
    """The next binary messages of a kind."""
    found: list[bytes] = []
    while len(found) < count:
        message = connection.recv(timeout=30)
        if isinstance(message, bytes) and message[0] == kind:
            found.append(message)
    return found


def test_a_viewer_gets_status_init_segment_and_pictures(served: Served) -> None:
    pytest.importorskip("av")
    with served.connect() as connection:
        first = json.loads(connection.recv(timeout=30))
        assert first["type"] == "status"
        [source] = first["sources"]
        assert "history" in source
        connection.send(json.dumps({"watch": [source["number"]]}))
        [init] = messages(connection, 1, 1)
        assert b"ftyp" in init
        pictures = messages(connection, 2, 5)
    assert pictures[0][1] & 1  # a keyframe
    assert all(b"moof" in picture for picture in pictures)


def test_without_an_encoder_it_says_that_there_is_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.serve.page.chosen", lambda _: None)
    with Served(STREET) as one, one.connect() as connection:
        assert json.loads(connection.recv(timeout=30))["video"] is False
        connection.send(json.dumps({"watch": [1]}))
        with urllib.request.urlopen(one.page.url + "stream.mjpg", timeout=30) as stream:
            assert b"--fcn-edge\r\nContent-Type: image/jpeg" in stream.read(200)
        assert one.status()["sources"][0]["frames"] > 0


def test_it_says_what_runs(served: Served) -> None:
    status = served.status()
    assert status["model"]["backend"] == "fake"
    assert [source["id"] for source in status["sources"]] == ["street"]
    assert status["control"] is False
    code, metrics = served.ask("metrics")
    assert code == 200
    assert b'fcn_edge_source_frames_total{source="street"}' in metrics


def test_nothing_can_be_changed_without_a_token(served: Served) -> None:
    code, answer = served.ask("api/sources/street/pause", "POST")
    assert code == 403
    assert "--token-file" in json.loads(answer)["fix"]


def test_sources_are_paused_added_and_removed_with_the_token() -> None:
    other = "synthetic://street?seed=4&size=48x64&fps=25"
    with Served(STREET, token=TOKEN, allowed=["synthetic://street*"]) as one:
        assert one.ask("api/sources/street/pause", "POST")[0] == 401
        assert one.ask("api/sources/street/pause", "POST", token=TOKEN)[0] == 204
        assert one.status()["sources"][0]["paused"] is True
        assert one.ask("api/sources/street/resume", "POST", token=TOKEN)[0] == 204
        code, answer = one.ask("api/sources", "POST", {"source": other}, TOKEN)
        assert (code, json.loads(answer)["id"]) == (201, "street-2")
        assert [source["id"] for source in one.status()["sources"]] == ["street", "street-2"]
        assert one.ask("api/sources", "POST", {"source": "rtsp://elsewhere/1"}, TOKEN)[0] == 403
        assert one.ask("api/sources/street-2", "DELETE", token=TOKEN)[0] == 204
        assert [source["id"] for source in one.status()["sources"]] == ["street"]
        assert one.status()["control"] is True


def test_viewers_are_told_when_the_run_is_over() -> None:
    with Served(STREET) as one, one.connect() as connection:
        one.page.close()
        with pytest.raises(ConnectionClosed) as closed:
            all_messages(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_a_port_that_is_taken_and_a_page_for_others_without_a_token_are_sentences(served: Served) -> None:
    port = served.page.url.rpartition(":")[2].strip("/")
    with pytest.raises(MachineError, match=f"serves port {port}"):
        LivePage(f"http://:{port}", served.segmenter, served.sources)
    with pytest.raises(UsageError, match="no token protects it"):
        LivePage("http://0.0.0.0:0", served.segmenter, served.sources)


def test_it_leaves_no_thread() -> None:
    with Served(STREET) as one:
        assert one.ask("healthz") == (200, b"ok\n")
    assert [thread.name for thread in threading.enumerate() if "fcn" in thread.name] == []
    assert fcn_edge.__version__


def test_sources_that_come_and_go_while_they_are_watched_leave_nothing_behind() -> None:
    pytest.importorskip("av")
    other = "synthetic://street?seed=4&size=48x64&fps=25"
    with Served(STREET, token=TOKEN, allowed=["synthetic://street*"]) as one, one.connect() as connection:
        for _ in range(3):
            code, answer = one.ask("api/sources", "POST", {"source": other}, TOKEN)
            assert code == 201
            number, label = json.loads(answer)["number"], json.loads(answer)["id"]
            connection.send(json.dumps({"watch": [1, number]}))
            while messages(connection, 2, 1)[0][2:4] != number.to_bytes(2, "little"):
                pass  # a picture of the other one
            assert one.ask(f"api/sources/{label}", "DELETE", token=TOKEN)[0] == 204
            until(lambda number=number: len(one.sources) == 1 and number not in one.page._viewers._groups)
        assert set(one.page._viewers._groups) == {1}
        assert len(one.page._shown.encodings()) == 1
