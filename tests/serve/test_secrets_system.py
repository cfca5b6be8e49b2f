"""A camera's password and the page's token: a run that has both shows neither, wherever one looks."""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("starlette")
pytest.importorskip("av")

from websockets.sync.client import connect

from benchmarks.page.run import PageRun
from tests.runtime.sinks.rtsp.test_push_system import Recorder
from tests.servers.rtsp import RtspServer, needs_gstreamer
from tests.waits import until

pytestmark = pytest.mark.system

PASSWORD, WRONG = "Geh#im/9x!Q", "Fal%ch.7&z"
TOKEN = "k7_Jw-2mQ9xZ~4vB"
PATIENCE = 60.0
PATHS = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/status.json",
    "/api/sources",
    "/login",
    "/snapshot.jpg",
    "/snapshot.jpg?source=in",
    "/mask.png?source=in",
    "/stream.mjpg?source=none",
    "/nothing",
)


def forms(secret: str) -> set[bytes]:
    """What a secret may look like: plain, in addresses, in JSON, and as a basic login."""
    texts = {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]}
    basic = {base64.b64encode(f"{user}:{secret}".encode()).decode().rstrip("=") for user in ("user", "viewer")}
    return {text.encode() for text in texts | basic}


SECRETS = forms(PASSWORD) | forms(WRONG) | forms(TOKEN)


class Seen:
    """All that came out, by where."""

    def __init__(self) -> None:
        self.places: dict[str, bytes] = {}

    def add(self, place: str, *content: bytes) -> None:
        self.places[place] = self.places.get(place, b"") + b"\n".join(content)

    def with_secrets(self) -> list[str]:
        return [place for place, content in self.places.items() if any(secret in content for secret in SECRETS)]


@contextmanager
def webhook(seen: Seen) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.add("webhook", str(self.headers).encode(), body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def asked(run: PageRun, path: str, body: bytes | None = None, token: str = "", method: str = "") -> bytes:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(run.url.rstrip("/") + path, body, headers, method=method or None)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bytes(str(answer.headers).encode() + answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return bytes(str(error.headers).encode() + error.read())


def children(pid: int) -> list[int]:
    found = [
        int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()
    ]
    return [*found, *(below for one in found for below in children(one))]


def look_at_everything(run: PageRun, seen: Seen, front: str) -> None:
    for token in ("", TOKEN, "x" * 20):
        for path in PATHS:
            seen.add(path, asked(run, path, token=token))
        for source in (
            front,
            front.replace("/camera", "/other"),
            f"http://user:{quote(WRONG, safe='')}@[",
            "file:///x",
        ):
            seen.add("POST", asked(run, "/api/sources", json.dumps({"source": source}).encode(), token))
    with connect(run.websocket) as page:
        page.send('{"watch": [1, 2]}')
        for _ in range(30):
            message = page.recv(timeout=20)
            seen.add("/ws", message.encode() if isinstance(message, str) else message)
    for pid in children(run.pid):  # the run itself has its sources among its arguments, as they were given
        with suppress(OSError):  # it has just ended
            seen.add("arguments of children", Path(f"/proc/{pid}/cmdline").read_bytes())
            seen.add("environment of children", Path(f"/proc/{pid}/environ").read_bytes())


def test_neither_the_cameras_passwords_nor_the_token_come_out_anywhere(tmp_path: Path) -> None:
    needs_gstreamer()
    seen, out = Seen(), tmp_path / "out"
    out.mkdir()
    login, other = (f"user:{quote(password, safe='')}" for password in (PASSWORD, WRONG))
    camera = RtspServer(size="240x320", fps=10, gop=10, user="user", password=PASSWORD)
    far = Recorder(tmp_path / "far", "--user=user", f"--password={PASSWORD}")
    far.start()
    with webhook(seen) as hook, camera, (tmp_path / "stdout").open("wb") as stdout:
        front = camera.url(login)
        sources = [f"{front}#name=in", "--source", f"{camera.url(other)}#name=rear"]
        videos = ["rtsp://:0/seen", str(out / "video.mp4"), *(far.url(f"{one}@", "/far") for one in (login, other))]
        options = ["--size", "96x128", "--webhook", hook, "--allow-source", "rtsp://127.0.0.1:*/camera", "--json"]
        command = ["run", "camvid-mobilenet_v2-fcn8s", *sources, "http://:0", f"{out}/", *videos]
        with subprocess.Popen(
            [sys.executable, "-m", "fcn_edge", *command, *options],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "FCN_EDGE_TOKEN": TOKEN},
        ) as process:
            run = PageRun(process)
            try:
                run.wait()
                until(lambda: b"JFIF" in asked(run, "/snapshot.jpg?source=in"), PATIENCE)
                look_at_everything(run, seen, front)
                camera.kill()
                far.kill()
                time.sleep(2)
                look_at_everything(run, seen, front)
            finally:
                run.stop()
    seen.add("stdout", (tmp_path / "stdout").read_bytes())
    seen.add("stderr", "".join(run.said).encode())
    for path in (one for one in out.rglob("*") if one.is_file()):
        seen.add("files", str(path).encode(), path.read_bytes())
    expected = {
        "webhook",
        "/status.json",
        "/metrics",
        "/ws",
        "POST",
        "environment of children",
        "stdout",
        "stderr",
        "files",
    }
    assert expected <= {place for place, content in seen.places.items() if content}
    assert b"user:***@" in seen.places["stdout"]
    assert b"***@" in seen.places["stderr"]
    assert seen.with_secrets() == []
