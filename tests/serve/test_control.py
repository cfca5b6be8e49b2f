"""Sources that are changed over HTTP, by those who may and by those who try more."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

import httpx
from starlette.applications import Starlette

from fcn_edge.errors import UsageError
from fcn_edge.runtime.events import FrameDone
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.source_set import Sources
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.serve.control import LAST_NUMBER, MOST_SOURCES, Control, control_routes
from fcn_edge.testing.engine import FakeEngine

from .runs import Silent

FRONT = "rtsp://admin:secret@cam/front"
MASKED = "rtsp://admin:***@cam/front"


class Client:
    """An application of the routes alone, as a browser would ask it."""

    def __init__(self, sources: Sources, listed: tuple[str, ...] = (), allowed: tuple[str, ...] = ()) -> None:
        self.sources = sources
        self.control = Control(sources, map(SourceAddress.of, listed), allowed)
        self._app = Starlette(routes=[*control_routes(self.control)])

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                return await http.request(method, path, **how)

        return asyncio.run(asked())

    def add(self, address: object) -> tuple[int, Any]:
        return self.post(json.dumps({"source": address}))

    def post(self, body: str | bytes, kind: str = "application/json") -> tuple[int, Any]:
        answer = self.ask("POST", "/api/sources", content=body, headers={"Content-Type": kind})
        return answer.status_code, answer.json()

    def refused(self, address: object) -> int:
        """The status of a refusal, which is told in sentences without a password."""
        status, told = self.add(address)
        assert told.keys() == {"error", "fix"}
        assert told["error"]
        assert "secret" not in str(told)
        return status


class TestAdd:
    def test_one_that_a_pattern_allows(self) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        assert client.add(FRONT) == (201, {"id": "front", "number": 1})
        assert client.add("rtsp://cam/front2#name=rear") == (201, {"id": "rear", "number": 2})
        assert list(client.sources) == [MASKED, "rtsp://cam/front2#name=rear"]

    def test_one_that_was_given_at_the_start(self) -> None:
        for asked in (FRONT, MASKED, "rtsp://admin:another@cam/front"):
            client = Client(Sources(stay=True), listed=(FRONT,))
            assert client.add(asked)[0] == 201
            # it is connected to as it was given, whatever is asked for
            [source] = client.sources._sources.values()
            assert source.connection.address.location == FRONT

    def test_one_that_is_not_allowed(self) -> None:
        client = Client(Sources(stay=True), listed=(FRONT,), allowed=("http://nas/*",))
        for address in (
            "rtsp://root:secret@cam/front",
            "rtsp://cam/front",
            "rtsp://admin:secret@evil/front",
            "rtsp://admin:secret@cam/front#verify=no",
            "/etc/passwd",
            "0",
            "-",
            "gst://videotestsrc ! appsink",
        ):
            assert client.refused(address) == 403, address
        assert len(client.sources) == 0

    def test_nothing_by_default(self) -> None:
        assert Client(Sources(stay=True)).refused(FRONT) == 403

    def test_standard_input_cannot_come_again(self) -> None:
        client = Client(Sources(stay=True), listed=("-", "/dev/stdin", "-#fps=5"), allowed=("/*",))
        for address in ("-", "/dev/stdin", "-#fps=5"):
            assert client.refused(address) == 403
        assert client.control.to_json()["listed"] == []

    def test_devices_that_were_given_at_the_start(self) -> None:
        client = Client(Sources(stay=True), listed=("/dev/video97", "csi://0"))
        assert client.add("/dev/video97")[0] == 201
        assert client.refused("/dev/video98") == 403

    def test_one_that_is_there(self) -> None:
        client = Client(Sources(FRONT, stay=True), listed=(FRONT,), allowed=("rtsp://cam/*",))
        assert client.refused(FRONT) == 409
        assert client.refused("rtsp://admin:other@cam/front") == 409

    def test_too_many(self) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        for number in range(MOST_SOURCES):
            assert client.add(f"rtsp://cam/{number}")[0] == 201
        assert client.refused("rtsp://cam/more") == 409
        assert client.ask("DELETE", "/api/sources/camera-0").status_code == 204
        assert client.add("rtsp://cam/more")[0] == 201

    def test_more_than_have_numbers(self) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        client.sources._count = LAST_NUMBER - 1
        assert client.add("rtsp://cam/a") == (201, {"id": "a", "number": LAST_NUMBER})
        assert client.refused("rtsp://cam/b") == 409

    def test_many_at_once_are_no_more_than_that(self) -> None:
        client = Client(Sources(*(Silent(f"rtsp://x/{n}") for n in range(60)), stay=True), allowed=("rtsp://cam/*",))
        done: list[int] = []
        threads = [
            threading.Thread(target=lambda n=n: done.append(client.add(f"rtsp://cam/{n}")[0]))  # type: ignore[misc]
            for n in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(done) == [201] * 4 + [409] * 8

    def test_a_run_of_fixed_sources_takes_none(self) -> None:
        client = Client(Sources(FRONT, fixed=True), listed=(FRONT,), allowed=("rtsp://cam/*",))
        status, told = client.add("rtsp://cam/rear")
        assert status == 403
        assert "--allow-source" in told["fix"]

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        client = Client(Sources(stay=True), allowed=(f"{tmp_path}/*",))
        assert client.refused(f"{tmp_path}/none.mp4") == 400
        # what is outside is not even told to be there or not
        assert client.refused("/etc/passwd") == client.refused("/etc/none") == 403

    def test_options_that_make_no_sense(self) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        assert client.refused("rtsp://u:secret@cam/x#fps=-1") == 400
        assert client.refused("rtsp://u:secret@cam/x#fps=1&fps=2") == 400


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{",
            "null",
            "[]",
            "7",
            '"rtsp://cam/x"',
            "{}",
            '{"source": null}',
            '{"source": 0}',
            '{"source": true}',
            '{"source": ["rtsp://cam/x"]}',
            '{"source": {"$ne": ""}}',
            '{"Source": "rtsp://cam/x"}',
            '{"source": "rtsp://cam/x", "more": 1}',
            '{"source": "rtsp://cam/x", "source": "rtsp://cam/y"}',
            '{"source": ""}',
            '{"source": "rtsp://cam/\\u0000x"}',
            '{"source": "rtsp://cam/x\\n"}',
            '{"source": "rtsp://cam/\\ud800"}',
            '{"source": "rtsp://cam/\\u202e"}',
            '{"source": NaN}',
            '{"source": "rtsp://cam/x"} {}',
            '{"source": ' + "9" * 6000 + "}",
            "[" * 16000,
            '{"source":' * 1500,
            b'{"source": "rtsp://cam/\xff"}',
            b'\xff\xfe{\x00"\x00',
            json.dumps({"source": "rtsp://cam/" + "x" * 2000}),
        ],
    )
    def test_that_are_none(self, body: str | bytes) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        status, told = client.post(body)
        assert status == 400
        assert told.keys() == {"error", "fix"}
        assert len(client.sources) == 0

    def test_that_are_large(self) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        assert client.post(json.dumps({"source": "x" * 20_000}))[0] == 413

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
    def test_of_forms_that_any_website_can_send(self, kind: str) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        assert client.post('{"source": "rtsp://cam/x"}', kind)[0] == 415

    def test_with_a_charset(self) -> None:
        client = Client(Sources(stay=True), allowed=("rtsp://cam/*",))
        assert client.post('{"source": "rtsp://cam/x"}', "Application/JSON; charset=utf-8")[0] == 201


class TestChanges:
    def test_pause_and_resume(self) -> None:
        client = Client(Sources(Silent(FRONT)))
        for action, paused in (("pause", True), ("pause", True), ("resume", False)):
            assert client.ask("POST", f"/api/sources/front/{action}").status_code == 204
            [source] = client.ask("GET", "/api/sources").json()["sources"]
            assert source == {"id": "front", "number": 1, "uri": MASKED, "state": "idle", "paused": paused}

    def test_remove(self) -> None:
        client = Client(Sources(Silent(FRONT), Silent("rtsp://cam/rear")))
        answer = client.ask("DELETE", "/api/sources/front")
        assert (answer.status_code, answer.content) == (204, b"")
        assert client.ask("DELETE", "/api/sources/front").status_code == 404
        assert [one["id"] for one in client.ask("GET", "/api/sources").json()["sources"]] == ["rear"]

    def test_of_what_is_not_there(self) -> None:
        client = Client(Sources(Silent(FRONT)))
        for label in (
            "rear",
            "1",
            "FRONT",
            "..",
            "%2e%2e",
            "a%00b",
            "front%2Fpause",
            MASKED.replace("/", "%2F"),
            "x" * 9000,
        ):
            for method, path in (("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
                answer = client.ask(method, f"/api/sources/{label}{path}")
                assert answer.status_code in (404, 405), (method, label, answer.status_code)
        assert [one.paused for one in client.sources.statuses()] == [False]

    def test_by_a_label_and_not_by_the_address_of_another(self) -> None:
        client = Client(Sources(Silent("rtsp://cam/front"), Silent("front")))
        assert client.ask("DELETE", "/api/sources/front").status_code == 204
        assert list(client.sources) == ["front"]

    def test_other_methods(self) -> None:
        client = Client(Sources(Silent(FRONT)))
        for method, path in (
            ("PUT", "/api/sources"),
            ("DELETE", "/api/sources"),
            ("GET", "/api/sources/front"),
            ("GET", "/api/sources/front/pause"),
            ("PATCH", "/api/sources/front"),
        ):
            assert client.ask(method, path).status_code == 405

    def test_list_shows_no_password(self) -> None:
        client = Client(Sources(FRONT, stay=True), listed=(FRONT,), allowed=("rtsp://cam/*",))
        found = client.ask("GET", "/api/sources")
        assert "secret" not in found.text
        assert found.json() | {"sources": []} == {
            "sources": [],
            "fixed": False,
            "listed": [MASKED],
            "allowed": ["rtsp://cam/*"],
            "most": MOST_SOURCES,
        }


def test_a_pattern_that_makes_no_sense_is_said_at_the_start() -> None:
    with pytest.raises(UsageError, match="cannot be allowed"):
        Control(Sources(), (), ["gst://*"])


@pytest.mark.usefixtures("no_thread_left")
def test_a_run_whose_sources_are_changed() -> None:
    """Added, paused, resumed and removed while frames come; the last one removed ends it where it does not stay."""
    streets = [f"synthetic://street?seed={seed}&size=32x32&frames=400#name=s{seed}" for seed in (1, 2)]
    sources = Sources(streets[0], stay=True)
    client = Client(sources, listed=tuple(streets), allowed=())
    done: list[str] = []
    came: dict[str, int] = {}

    def steer(event: object) -> None:
        if not isinstance(event, FrameDone):
            return
        name = event.result.source[-2:]
        came[name] = came.get(name, 0) + 1
        if not done:
            assert client.add(streets[1])[0] == 201
            done.append("added")
        elif done == ["added"] and name == "s2":
            client.ask("POST", "/api/sources/s1/pause")
            done.append("paused")
            came["s1"] = 0
        elif done == ["added", "paused"] and came["s2"] > 15:
            assert came["s1"] < 10  # those that were on their way
            assert client.ask("DELETE", "/api/sources/s1").status_code == 204
            assert client.ask("DELETE", "/api/sources/s2").status_code == 204
            done.append("removed")
            sources.close()

    report = run(sources, Segmenter(FakeEngine()), (), [steer])
    assert done == ["added", "paused", "removed"]
    assert report.error is None
    assert report.frames < 400
    assert client.ask("GET", "/api/sources").json()["sources"] == []
