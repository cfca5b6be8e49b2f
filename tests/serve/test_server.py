"""The server of the live page: where it listens, how it ends, and what a client cannot make it do."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.serve import connections, server
from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.guard import Guard
from fcn_edge.serve.server import Server
from tests.serve.asking import exchange, received
from tests.waits import until

ANYWHERE = PageAddress.of("http://:0")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
TOKEN = "k7_Jw-2mQ9xZ~4vB"
CAME: list[str] = []


async def shown(request: Request) -> PlainTextResponse:
    return PlainTextResponse("shown")


async def endless(request: Request) -> Response:
    async def parts() -> object:
        while True:
            yield b"x" * 100_000
            await asyncio.sleep(0)

    return StreamingResponse(parts())  # type: ignore[arg-type]


async def silent(request: Request) -> Response:
    await asyncio.sleep(3600)
    return Response()


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as left:
        CAME.append(str(left.code))


async def flood(websocket: WebSocket) -> None:
    await websocket.accept()
    while True:
        await websocket.send_bytes(b"x" * 100_000)


def app(token: str | None = TOKEN) -> Guard:
    routes = [
        Route("/", shown),
        Route("/endless", endless),
        Route("/silent", silent),
        WebSocketRoute("/ws", echo),
        WebSocketRoute("/flood", flood),
    ]
    return Guard(Starlette(routes=routes), ANYWHERE, Access(ANYWHERE, token))


@pytest.fixture
def served(capfd: pytest.CaptureFixture[str]) -> Iterator[Server]:
    one = Server(app(), ANYWHERE)
    yield one
    one.close()
    assert capfd.readouterr() == ("", "")


def opened(one: Server, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", one.port), timeout=20)
    connection.sendall(data)
    return connection


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def send_without_end(connection: socket.socket, data: bytes, pause_s: float = 0.0) -> None:
    """Send again and again, until the server ends the connection or has taken it all."""
    for _ in range(1000):
        connection.sendall(data)
        time.sleep(pause_s)


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server has closed it."""
    try:
        while connection.recv(1 << 20):
            pass
    except ConnectionError:
        pass
    return True


def test_it_answers_at_once_and_tells_where(served: Server) -> None:
    assert served.url == f"http://127.0.0.1:{served.port}"
    answer = exchange(served.port, GET + b"\r\n")
    assert (answer.status, answer.body) == (200, b"shown")
    assert "server" not in answer.headers
    assert served.loop.is_running()


def test_work_of_other_threads_is_done_in_its_loop(served: Server) -> None:
    async def name() -> str:
        return threading.current_thread().name

    future = asyncio.run_coroutine_threadsafe(name(), served.loop)
    assert future.result(5) == "fcn_edge live page"


def test_a_taken_port_is_a_sentence(served: Server) -> None:
    with pytest.raises(MachineError, match=rf"port {served.port} of 127\.0\.0\.1 already") as caught:
        Server(app(), PageAddress("127.0.0.1", served.port))
    assert "ss -ltnp" in caught.value.fix
    assert caught.value.exit_code == 6


def test_an_address_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"no address 192\.0\.2\.1"):
        Server(app(), PageAddress("192.0.2.1", 0))


def test_a_port_of_the_administrator_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(server.socket.socket, "bind", refused)
    with pytest.raises(UsageError, match="Port 80 is only for") as caught:
        Server(app(), PageAddress("127.0.0.1", 80))
    assert caught.value.exit_code == 2


def test_a_machine_without_ipv6_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(server.socket, "socket", refused)
    with pytest.raises(MachineError, match="no IPv6"):
        Server(app(), PageAddress("::1", 0))


def test_the_url_of_all_addresses_is_one_that_others_reach() -> None:
    one = Server(app(), ANYWHERE)
    one.close()
    one._address = replace(ANYWHERE, host="0.0.0.0")
    assert "0.0.0.0" not in one.url
    one._address = replace(ANYWHERE, host="::1")
    assert one.url == f"http://[::1]:{one.port}"


def test_it_ends_whatever_clients_do_and_leaves_nothing() -> None:
    threads, files = threading.active_count(), open_files()
    one = Server(app(), ANYWHERE)
    with ExitStack() as stack:
        sockets = [stack.enter_context(opened(one, part)) for part in (b"", b"GET", GET, GET + b"\r\n", b"\x16\x03")]
        sockets.append(stack.enter_context(opened(one, GET.replace(b"/", b"/endless", 1) + b"\r\n")))
        sockets.append(stack.enter_context(opened(one, GET.replace(b"/", b"/silent", 1) + b"\r\n")))
        websocket = stack.enter_context(connect(f"ws://127.0.0.1:{one.port}/ws"))
        stuck = stack.enter_context(connect(f"ws://127.0.0.1:{one.port}/flood", max_queue=1))
        websocket.send("a")
        assert websocket.recv() == "a"
        time.sleep(0.2)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            start = time.monotonic()
            one.close()
            assert time.monotonic() - start < 2.5
            one.close()
            gc.collect()
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        assert all(is_closed(connection) for connection in sockets)
        stuck.close_timeout = 0
    assert threading.active_count() == threads
    assert open_files() == files
    again = Server(app(), PageAddress("127.0.0.1", one.port))
    assert exchange(again.port, GET + b"\r\n").status == 200
    again.close()


def test_a_websocket_says_when_it_is_closed(served: Server) -> None:
    CAME.clear()
    with connect(f"ws://127.0.0.1:{served.port}/ws", compression="deflate") as websocket:
        assert websocket.protocol.extensions == []
        websocket.send("a" * (server.LARGEST_MESSAGE))
        assert len(websocket.recv()) == server.LARGEST_MESSAGE
        websocket.send("a" * (server.LARGEST_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_a_websocket_of_another_website_gets_no_handshake(served: Server) -> None:
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://127.0.0.1:{served.port}/ws", origin="http://evil"):  # type: ignore[arg-type]
        pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    "frames",
    [
        b"\x81\x05hello",  # not masked
        b"\xf1\x80\0\0\0\0",  # reserved bits
        b"\x83\x80\0\0\0\0",  # an unknown kind
        b"\x80\x80\0\0\0\0",  # goes on with nothing
        b"\x89\xfe\x01\x00\0\0\0\0" + b"p" * 256,  # a ping of 256 bytes
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",  # of 2**63 bytes
        b"\x81\x81\0\0\0\0\xff",  # no UTF-8
        b"\x88\x81\0\0\0\0\x03",  # closes with half a code
        b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 100,  # empty parts without end
    ],
)
def test_bad_frames_end_a_websocket(served: Server, frames: bytes) -> None:
    with opened(served, handshake()) as connection:
        assert received(connection).status == 101
        connection.sendall(frames)
        assert is_closed(connection)
    assert exchange(served.port, GET + b"\r\n").status == 200


def handshake(path: str = "/ws", *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    head = [
        f"{method} {path} HTTP/{version}",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (handshake(method="POST"), 400),
        (handshake(version="1.0"), 400),
        (handshake("/ws", "Content-Length: 3") + b"abc", 400),
        (handshake("/ws", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
        (handshake("/ws", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), 400),
        (handshake().replace(b"Version: 13", b"Version: 12"), 400),
        (handshake().replace(b"AA==", b"==="), 400),
        (handshake("/" + "a" * 8100), 431),
        (handshake("/" + "a" * 3000), 414),
        (handshake("/ws", "X: " + "a" * 8190), 431),
        (handshake("/ws", *["X: y"] * 200), 431),
        (handshake("/ws", "X: \xe4\xff"), 101),
        (handshake("/ws", "Sec-WebSocket-Protocol: \xe4,,"), 101),
        (handshake("/ws", "Sec-WebSocket-Extensions: ;;;", "Connection: ,;, Upgrade"), 101),
        (handshake("/nowhere"), 403),
        (handshake("http://localhost/ws"), 400),
    ],
)
def test_a_bad_handshake_gets_an_answer(served: Server, data: bytes, status: int) -> None:
    assert exchange(served.port, data).status == status


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (GET + b"Host: evil\r\n\r\n", 400),
        (GET + b"X Y: a\r\n\r\n", 400),
        (GET + b"X: \0\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (GET + b"X: " + b"a" * 20_000, 431),
        (b"A" * 20_000, 431),
        (GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (GET + b"Content-Length: +1\r\n\r\na", 400),
        (GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (GET + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n", 200),
        (GET + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n", 413),
    ],
)
def test_what_is_no_good_request_gets_an_answer(served: Server, data: bytes, status: int) -> None:
    answer = exchange(served.port, data)
    assert answer.status == status
    assert status == 200 or answer.error.endswith(".")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_that_goes_wrong_behind_its_answer_ends_the_connection(served: Server) -> None:
    with opened(served, b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        assert received(connection).status == 405
        connection.sendall(b"zz\r\n")
        assert is_closed(connection)


def test_a_body_without_end_behind_its_answer_is_not_read_on(served: Server) -> None:
    with opened(served, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n") as connection:
        assert received(connection).status == 413
        with pytest.raises(ConnectionError):
            send_without_end(connection, b"x" * 100_000)


@pytest.mark.parametrize("part", [b"1\r\na\r\n", b"4000\r\n" + b"a" * 0x4000 + b"\r\n"])
def test_a_body_of_chunks_is_not_read_beyond_what_a_body_may_have(served: Server, part: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    data = head + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode() + part * (400_000 // len(part))
    assert exchange(served.port, data).status in (0, 413)  # the answer is lost where more comes after it
    assert exchange(served.port, GET + b"\r\n").status == 200


def test_requests_one_behind_the_other_are_answered_in_order(served: Server) -> None:
    good, other = GET + b"\r\n", GET.replace(b"GET", b"PUT", 1) + b"\r\n"
    with opened(served, good + other + good + b"nonsense\r\n\r\n") as connection:
        data = b""
        while part := connection.recv(1 << 16):
            data += part
    assert re.findall(rb"HTTP/1.1 ([0-9]+)", data) == [b"200", b"405", b"200", b"400"]


def test_a_wrong_host_ends_no_connection_for_the_next_request(served: Server) -> None:
    with opened(served, GET.replace(b"localhost", b"evil") + b"\r\n") as connection:
        assert received(connection).status == 403
        connection.sendall(GET + b"\r\n")
        assert received(connection).status == 200


def test_more_connections_than_it_takes_cost_those_that_ask_nothing(
    monkeypatch: pytest.MonkeyPatch, served: Server
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 8)
    with ExitStack() as stack:
        asking = stack.enter_context(opened(served, GET.replace(b"/", b"/silent", 1) + b"\r\n"))
        websocket = stack.enter_context(connect(f"ws://127.0.0.1:{served.port}/ws"))
        idle = [stack.enter_context(opened(served, b"GET / ")) for _ in range(20)]
        assert exchange(served.port, GET + b"\r\n").status == 200
        assert all(is_closed(connection) for connection in idle[:10])
        websocket.send("still here")
        assert websocket.recv() == "still here"
        asking.setblocking(False)
        with pytest.raises(BlockingIOError):
            asking.recv(1)


def test_where_all_connections_are_at_work_another_is_closed(monkeypatch: pytest.MonkeyPatch, served: Server) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connect(f"ws://127.0.0.1:{served.port}/ws"))
        assert exchange(served.port, GET + b"\r\n").status == 0


@pytest.mark.system
@pytest.mark.parametrize(
    "data", [b"", b"GET / HT", GET, b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"]
)
def test_a_client_that_sends_no_whole_request_is_given_up(
    monkeypatch: pytest.MonkeyPatch, served: Server, data: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 1.0)
    with opened(served, data) as connection:
        assert is_closed(connection)


@pytest.mark.system
def test_a_client_that_sends_a_letter_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch, served: Server) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 1.0)
    with opened(served, GET + b"X: ") as connection, pytest.raises(ConnectionError):
        send_without_end(connection, b"a", 0.1)


@pytest.mark.system
def test_clients_that_read_nothing_are_given_up(monkeypatch: pytest.MonkeyPatch, served: Server) -> None:
    monkeypatch.setattr(connections, "READING_S", 1.0)
    with opened(served, GET.replace(b"/", b"/endless", 1) + b"\r\n") as one, opened(served, handshake("/flood")) as two:
        state = served._uvicorn.server_state
        until(lambda: not state.connections and not state.tasks)
        assert one.fileno() > 0
        assert two.fileno() > 0


@pytest.mark.system
def test_pings_without_end_from_a_client_that_reads_nothing_are_not_kept(served: Server) -> None:
    with opened(served, handshake()) as connection:
        assert received(connection).status == 101
        pings = (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 1000
        with pytest.raises(OSError, match=r"reset|Broken pipe|timed out"):
            send_without_end(connection, pings)


@pytest.mark.system
def test_many_requests_on_one_connection_do_not_end_it(monkeypatch: pytest.MonkeyPatch, served: Server) -> None:
    monkeypatch.setattr(connections, "REQUEST_S", 1.0)
    with opened(served) as connection:
        for _ in range(30):
            connection.sendall(GET + b"\r\n")
            assert received(connection).status == 200
            time.sleep(0.1)


def test_no_log_holds_a_token(served: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"fcn_edge_{served.port}={TOKEN}"}
    with connect(f"ws://127.0.0.1:{served.port}/ws", additional_headers=headers) as websocket:
        websocket.send("a")
        assert websocket.recv() == "a"
    exchange(served.port, GET + f"Authorization: Bearer {TOKEN}\r\nBad: \0\r\n\r\n".encode())
    ours = [record for record in caplog.records if not record.name.startswith("websockets.client")]
    assert ours
    assert not [record for record in ours if TOKEN in record.getMessage() or TOKEN in str(record.exc_info)]


def test_what_clients_do_is_nothing_for_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="fcn_edge")
    one = Server(app(), ANYWHERE)
    with opened(one, b"GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with connect(f"ws://127.0.0.1:{one.port}/ws") as websocket:
            websocket.send("a")
            assert websocket.recv() == "a"
            websocket.send(b"\xff", text=True)  # no UTF-8
            with pytest.raises(ConnectionClosed):
                websocket.recv(timeout=20)
        assert exchange(one.port, b"no HTTP\r\n\r\n").status == 400
        one.close()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("fcn_edge")] == []
