"""What the live page refuses before it looks at it."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from fcn_edge.serve import hosts
from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.guard import Guard
from fcn_edge.serve.login import login_routes
from tests.serve.asking import Answer, ask, ask_websocket

TOKEN = "k7_Jw-2mQ9xZ~4vB"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
NETWORK = "192.168.1.5:8080"


async def shown(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.url.path} {(await request.body()).decode()}")


async def failing(request: Request) -> PlainTextResponse:
    raise ZeroDivisionError


async def streamed(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("picture")


def guarded(text: str = "http://:8080", token: str | None = TOKEN) -> Guard:
    address = PageAddress.of(text)
    access = Access(address, token)
    routes = [
        *login_routes(access),
        Route("/fails", failing),
        WebSocketRoute("/ws", streamed),
        Route("/{path:path}", shown, methods=["GET", "POST", "DELETE"]),
    ]
    return Guard(Starlette(routes=routes), address, access)


def on_network(**asked: Any) -> Answer:
    return ask(guarded("http://0.0.0.0:8080"), host=NETWORK, **asked)


def statuses(sent: list[dict[str, Any]]) -> list[Any]:
    return [message.get("status", message.get("code", message["type"])) for message in sent]


def test_this_machine_looks_without_a_token() -> None:
    assert ask(guarded()).body == b"GET / "
    assert ask(guarded(token=None)).status == 200
    assert ask(guarded(), "HEAD", "/status.json").status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "127.0.1.1", "[::1]:8080", "cam.example", "Cam.Example:443"]
)
def test_the_names_of_a_loopback_page(host: str) -> None:
    assert ask(guarded("http://:8080#host=cam.example"), path="/healthz", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "localhost.",
        "127.0.0.1.",
        "127.0.0.1.evil.example",
        "192.168.1.5:8080",
        "0.0.0.0:8080",
        "me@localhost",
        "localhost:8080@evil.example",
        "localhost:80:80",
        "localhost:",
        "localhost:99999",
        "localhost:-1",
        "localhost, evil.example",
        "localhost/",
        "[::1%eth0]",
        "[::1",
        "::1",
        "[::ffff:1.2.3.4]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "l\u043ecalhost",
        "",
        " ",
    ],
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(host: str) -> None:
    raw = host.encode().decode("latin-1")
    for path in ("/", "/healthz", "/login"):
        assert ask(guarded(), path=path, host=raw).status == 403
    assert statuses(ask_websocket(guarded(), host=raw))[0] == 403


def test_a_request_names_one_host() -> None:
    assert ask(guarded(), host=None).status == 400
    assert ask(guarded(), host=None, version="1.0").status == 400
    assert ask(guarded(), headers=[("Host", "localhost:8080")]).status == 400
    assert ask(guarded(), headers={"X-Forwarded-Host": "evil.example", "X-Host": "evil.example"}).status == 200


def test_the_names_of_a_page_on_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts.socket, "gethostname", lambda: "Jetson-7.lan")
    guard = guarded("http://0.0.0.0:8080#host=cam.example")
    for host in ("10.0.0.1", NETWORK, "[fe80::1]:8080", "localhost", "jetson-7.lan", "JETSON-7.local", "cam.example"):
        assert ask(guard, path="/healthz", host=host).status == 200, host
    for host in ("evil.example", "jetson-7.lan.evil.example", "jetson-7.local.", "local"):
        assert ask(guard, path="/healthz", host=host).status == 403, host


@pytest.mark.parametrize("origin", ["http://localhost:8080", "https://localhost:8080", "HTTP://LOCALHOST:8080"])
def test_the_page_asks_itself(origin: str) -> None:
    assert ask(guarded(), headers={"Origin": origin}).status == 200
    assert statuses(ask_websocket(guarded(), headers={"Origin": origin}))[0] == "websocket.accept"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://localhost",
        "http://localhost:8081",
        "http://127.0.0.1:8080",
        "http://localhost:8080.evil.example",
        "http://localhost:8080/",
        "http://me@localhost:8080",
        "ws://localhost:8080",
        "file://",
        "http://localhost:8080 http://evil.example",
    ],
)
def test_another_websites_page_is_refused(origin: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert ask(guarded(), method, "/api/sources", {"Origin": origin, **BEARER}).status == 403
    assert ask(guarded(), "POST", "/login", {"Origin": origin}).status == 403
    (start, *_) = ask_websocket(guarded(), headers={"Origin": origin, **BEARER})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_comes_from_elsewhere_is_refused_unless_it_fills_a_tab(site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert ask(guarded(), path="/snapshot.jpg", headers=headers).status == 403
    frame = {**headers, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert ask(guarded(), headers=frame).status == 403
    tab = {**headers, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert ask(guarded(), headers=tab).status == 200
    assert ask(guarded(), "POST", "/api/sources", {**tab, **BEARER, **JSON}).status == 403
    assert statuses(ask_websocket(guarded(), headers={**headers, "Sec-Fetch-Mode": "websocket"}))[0] == 403
    own = {**headers, "Sec-Fetch-Site": "same-origin"}
    assert ask(guarded(), path="/snapshot.jpg", headers=own).status == 200


def test_no_page_of_another_origin_is_let_in_by_cors() -> None:
    answer = ask(guarded(), "OPTIONS", "/api/sources", {"Access-Control-Request-Method": "POST"})
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST, DELETE")
    for given in (answer, ask(guarded(), headers={"Origin": "http://localhost:8080"})):
        assert not [name for name in given.headers if name.startswith("access-control")]


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "get", "GET2", "X" * 500])
def test_other_methods_are_refused(method: str) -> None:
    assert ask(guarded(), method).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/static/../../server.py",
        "/static/%2e%2e/x",
        "/static/%2E./x",
        "/./x",
        "/static/..",
        "/static/..%2fx",
        "/static/..%5cx",
        "/x%00.jpg",
        "/x%0d%0aSet-Cookie:a",
        "/%7f",
        "//evil.example/x",
        "/%2fevil.example/x",
        "http://localhost:8080/",
        "http://evil.example/",
        "localhost:443",
        "*",
        "",
        "/%ff",
        "/\\x",
        "/x?y=%00",
        "/x?y=%0a",
    ],
)
def test_paths_that_no_page_has_are_refused(path: str) -> None:
    assert ask(guarded(), path=path).status == 400
    assert statuses(ask_websocket(guarded(), path))[0] == 400


def test_ordinary_paths_are_let_through() -> None:
    for path in ("/static/page.js", "/a..b/...", "/x.y?source=front%20door&overlay=0", "/%c3%a4", "/a//b"):
        assert ask(guarded(), path=path).status == 200, path


def test_long_paths_queries_and_headers_are_refused() -> None:
    assert ask(guarded(), path="/" + "a" * 1999).status == 200
    assert ask(guarded(), path="/" + "a" * 2000).status == 414
    assert ask(guarded(), path="/?" + "a" * 2001).status == 414
    assert ask(guarded(), headers={"Cookie": "a" * 16000}).status == 200
    assert ask(guarded(), headers={"Cookie": "a" * 17000}).status == 431
    assert ask(guarded(), headers=[("X-A", "b")] * 3000).status == 431


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "9.9"])
def test_other_versions_are_refused(version: str) -> None:
    assert ask(guarded(), version=version).status == 400


@pytest.mark.parametrize("name", ["Origin", "Authorization", "Content-Type", "Content-Length", "Sec-Fetch-Site"])
def test_headers_that_decide_stand_there_once(name: str) -> None:
    assert ask(guarded(), headers=[(name, "1"), (name, "1")]).status == 400


@pytest.mark.parametrize("value", ["a\x01", "\x7f", "a\r\nb", "a\0"])
def test_headers_hold_no_control_characters(value: str) -> None:
    assert ask(guarded(), headers={"X": value}).status == 400
    assert ask(guarded(), headers={"X": "a\tb \xe4"}).status == 200


def test_a_body_is_bounded_whether_or_not_it_says_its_length() -> None:
    headers = {**BEARER, **JSON}
    chunked = {**headers, "Transfer-Encoding": "chunked"}
    large = [b"x" * 40_000] * 2
    assert ask(guarded(), "POST", "/x", {**headers, "Content-Length": "65536"}, [b"x" * 65536]).status == 200
    assert ask(guarded(), "POST", "/x", {**headers, "Content-Length": "65537"}).status == 413
    assert ask(guarded(), "POST", "/x", {**headers, "Content-Length": "9" * 20}).status == 413
    assert ask(guarded(), "POST", "/x", chunked, large).status == 413
    assert ask(guarded(), "POST", "/x", chunked, [b"{", b"}"]).body == b"POST /x {}"
    assert ask(guarded(), "POST", "/x", {**chunked, "Content-Length": "3"}, [b"{}"]).status == 400


def test_what_only_looks_takes_no_body() -> None:
    assert ask(guarded(), headers={"Content-Length": "0"}).status == 200
    assert ask(guarded(), headers={"Content-Length": "1"}, body=[b"x"]).status == 400
    assert ask(guarded(), headers={"Transfer-Encoding": "chunked"}, body=[b"x"]).status == 400


def test_a_client_that_leaves_in_the_middle_is_told_nothing() -> None:
    import asyncio

    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "http_version": "1.1",
        "path": "/login",
        "raw_path": b"/login",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"content-length", b"9"),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guarded()(scope, receive, send))
    assert sent == []


@pytest.mark.parametrize(
    "given",
    ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "multipart/form-data", ""],
)
def test_a_change_is_json_which_no_form_of_another_website_sends_unasked(given: str) -> None:
    headers = {**BEARER, "Content-Type": given, "Content-Length": "2"}
    assert ask(guarded(), "POST", "/api/sources", headers, [b"{}"]).status == 415
    del headers["Content-Type"]
    assert ask(guarded(), "POST", "/api/sources", headers, [b"{}"]).status == 415


def test_a_change_without_a_body_needs_no_type() -> None:
    assert ask(guarded(), "POST", "/api/sources/a/pause", BEARER).status == 200
    assert ask(guarded(), "DELETE", "/api/sources/a", {**BEARER, "Content-Length": "0"}).status == 200
    given = {**BEARER, "Content-Type": "Application/JSON; charset=utf-8", "Content-Length": "2"}
    assert ask(guarded(), "POST", "/api/sources", given, [b"{}"]).status == 200


def test_every_change_takes_the_token_also_on_this_machine() -> None:
    for method, path in (("POST", "/api/sources"), ("DELETE", "/api/sources/a"), ("POST", "/healthz"), ("POST", "/")):
        assert ask(guarded(), method, path).status == 401
        assert ask(guarded(token=None), method, path, BEARER).status == 403
        assert ask(guarded(), method, path, {"Authorization": "Bearer " + TOKEN[:-1]}).status == 401
        assert ask(guarded(), method, path, BEARER).status == 200


def test_elsewhere_looking_takes_the_token() -> None:
    for path in (
        "/",
        "/status.json",
        "/metrics",
        "/readyz",
        "/snapshot.jpg",
        "/static/page.js",
        "/api/sources",
        "/nil",
    ):
        answer = on_network(path=path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), path
        assert on_network(path=path, headers=BEARER).status == 200
    for path in ("/healthz", "/login", "/static/login.css", "/%6cogin"):
        assert on_network(path=path).status == 200, path


def test_elsewhere_a_websocket_is_closed_where_its_page_sees_why() -> None:
    guard = guarded("http://0.0.0.0:8080")
    assert statuses(ask_websocket(guard, host=NETWORK)) == ["websocket.accept", 4401]
    assert statuses(ask_websocket(guard, host=NETWORK, headers=BEARER))[:2] == ["websocket.accept", "websocket.send"]


def test_a_guessing_websocket_is_told_so() -> None:
    guard = guarded("http://0.0.0.0:8080")
    for number in range(9):
        sent = ask_websocket(guard, host=NETWORK, headers={"Authorization": f"Bearer {number}"})
    assert statuses(sent)[0] == 429


def test_a_browser_is_led_to_the_login_and_back() -> None:
    html = {"Accept": "text/html,*/*"}
    assert on_network(headers=html).headers["location"] == "/login"
    answer = on_network(path="/a%20b/c", headers=html)
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=/a%2520b/c")
    assert ask(guarded("http://0.0.0.0:8080"), path="/x", headers=html, host="evil.example").status == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_who_comes_through_a_proxy_is_not_this_machine(header: str) -> None:
    assert ask(guarded(), headers={header: "10.0.0.9"}).status == 401
    assert ask(guarded(), headers={header: "10.0.0.9", **BEARER}).status == 200
    answer = ask(guarded(token=None), headers={header: "10.0.0.9", "Accept": "text/html"})
    assert (answer.status, "token" in answer.error) == (403, True)
    assert statuses(ask_websocket(guarded(), headers={header: "10.0.0.9"})) == ["websocket.accept", 4401]


def test_neither_is_a_proxy_that_names_itself_in_no_header_and_speaks_the_old_http() -> None:
    assert ask(guarded(), version="1.0").status == 401
    assert ask(guarded(), version="1.0", headers=BEARER).status == 200
    assert ask(guarded(), version="1.0", path="/healthz").status == 200


def test_a_further_name_of_a_loopback_page_is_not_this_machine() -> None:
    guard = guarded("http://:8080#host=cam.example")
    assert ask(guard, host="cam.example").status == 401
    assert ask(guard, host="cam.example", headers={"Origin": "https://cam.example", **BEARER}).status == 200


def test_all_answers_make_a_browser_careful() -> None:
    refused, shown_, failed = ask(guarded(), host="evil.example"), ask(guarded()), ask(guarded(), path="/fails")
    for answer in (refused, shown_, failed, ask(guarded(), path="/login")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    assert "ws://localhost:8080" in shown_.headers["content-security-policy"]
    assert "evil" not in refused.headers["content-security-policy"]


def test_a_fault_of_ours_is_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    answer = ask(guarded(), path="/fails")
    assert answer.status == 500
    assert "ZeroDivision" not in answer.body.decode()
    assert capfd.readouterr() == ("", "")


def test_refusals_are_sentences_in_json() -> None:
    for answer in (ask(guarded(), host="evil.example"), ask(guarded(), "PUT"), ask(guarded(), "POST", "/api/sources")):
        content = json.loads(answer.body)
        assert set(content) == {"error", "fix"}
        assert content["error"].endswith(".")
        assert answer.headers["content-type"] == "application/json"
