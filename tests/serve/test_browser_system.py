"""A browser at the live page's guard: its login, and another website's page that wants to see a camera."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

from playwright.sync_api import sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.guard import Guard
from fcn_edge.serve.login import STATIC, login_routes
from fcn_edge.serve.server import Server
from tests.chromium import chromium_path

pytestmark = pytest.mark.system

TOKEN = "k7_Jw-2mQ9xZ~4vB"
SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
CHANGED: list[str] = []

STEAL = """async place => {
  const found = {}
  found.fetch = await fetch(place + '/status.json').then(() => 'read', () => 'refused')
  found.post = await fetch(place + '/api/sources',
    {method: 'POST', body: '{}', headers: {'Content-Type': 'text/plain'}, mode: 'no-cors', credentials: 'include'})
    .then(() => 'sent', () => 'refused')
  found.image = await new Promise(done => {
    const image = new Image(); image.onload = () => done('shown'); image.onerror = () => done('refused')
    image.src = place + '/snapshot.svg'; })
  found.frame = await new Promise(done => {
    const frame = document.createElement('iframe'); frame.src = place + '/'; document.body.append(frame)
    frame.onload = () => done(frame.contentDocument ? 'same' : 'refused or foreign') })
  found.socket = await new Promise(done => {
    const socket = new WebSocket(place.replace('http', 'ws') + '/ws')
    socket.onmessage = () => done('read'); socket.onerror = () => done('refused') })
  return found
}"""

OWN = """async () => {
  const socket = await new Promise(done => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws')
    socket.onmessage = () => done('read'); socket.onclose = event => done(event.code) })
  const status = await fetch('/status.json').then(answer => answer.status)
  const headers = {'Content-Type': 'application/json'}
  const change = await fetch('/api/sources', {method: 'POST', body: '{}', headers})
    .then(answer => answer.status)
  return [socket, status, change]
}"""


async def page(request: Request) -> Response:
    return HTMLResponse("<!doctype html><title>page</title><link rel=icon href=data:,><p>cameras")


async def status(request: Request) -> Response:
    return PlainTextResponse("secret")


async def picture(request: Request) -> Response:
    return Response(SVG, media_type="image/svg+xml")


async def change(request: Request) -> Response:
    CHANGED.append(await request.json())
    return Response(status_code=204)


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("picture")
    await websocket.receive()


def served(is_loopback: bool) -> Server:
    bound = PageAddress("127.0.0.1", 0)
    address = PageAddress("127.0.0.1", 0, (), is_loopback)
    access = Access(address, TOKEN)
    routes = [
        Route("/", page),
        Route("/status.json", status),
        Route("/snapshot.svg", picture),
        Route("/api/sources", change, methods=["POST"]),
        WebSocketRoute("/ws", stream),
        *login_routes(access),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Server(Guard(Starlette(routes=routes), address, access), bound)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = chromium_path()
    if program is None:
        pytest.skip("there is no Chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_websites_page_sees_and_changes_nothing(browser: Any, host: str) -> None:
    CHANGED.clear()
    camera, other = served(is_loopback=True), served(is_loopback=True)
    tab = browser.new_page(bypass_csp=True)
    tab.goto(f"http://{host}:{other.port}/")
    found = tab.evaluate(STEAL, f"http://127.0.0.1:{camera.port}")
    tab.close()
    camera.close()
    other.close()
    assert found.pop("post") in ("sent", "refused")
    assert found == {"fetch": "refused", "image": "refused", "frame": "refused or foreign", "socket": "refused"}
    assert CHANGED == []


def test_a_person_logs_in_once(browser: Any) -> None:
    CHANGED.clear()
    camera = served(is_loopback=False)
    place = f"http://127.0.0.1:{camera.port}"
    problems: list[str] = []
    context = browser.new_context()
    tab = context.new_page()
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.goto(f"{place}/")
    assert tab.url == f"{place}/login"
    assert tab.evaluate("getComputedStyle(document.querySelector('main')).borderRadius") == "16px"
    assert tab.evaluate(OWN)[:2] == [4401, 401]
    problems.clear()
    tab.fill("#token", "not the token of it")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".message:not([hidden])")
    tab.fill("#token", TOKEN)
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"{place}/")
    assert tab.evaluate(OWN) == ["read", 200, 204]
    assert CHANGED == [{}]
    assert TOKEN not in tab.evaluate("document.cookie + location.href")
    assert [one for one in problems if "401" not in one] == []
    context.close()
    camera.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_fits_a_phone(browser: Any, scheme: str) -> None:
    camera = served(is_loopback=False)
    context = browser.new_context(viewport={"width": 320, "height": 568}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{camera.port}/login")
    assert tab.evaluate("document.documentElement.scrollWidth") == 320
    assert tab.evaluate("document.activeElement.id") == "token"
    context.close()
    camera.close()
