"""A stand-in for a run with a live page: serves the page, and speaks its contract with rendered streets as cameras.

python -m tests.serve.stand_in --sources 3 --port 8080
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import random
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

import fcn_edge.serve
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.encoders.units import AccessUnit, UnitEncoder
from tests.serve.cameras import BITS, Camera, class_names, draw_number, drive
from tests.serve.fragments_writer import codec_of, fragment, init_segment

STATIC = Path(fcn_edge.serve.__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NAMES = ("front", "left", "right", "rear", "gate", "yard", "dock", "lane", "roof")
COLORS = (
    "#4682b4", "#8c8c98", "#d8cf9c", "#804080", "#f423e8", "#6b8e23", "#fadc00", "#b4825a", "#1e62ff", "#dc143c",
    "#00c2a8",
)  # fmt: skip
STAGES = {"capture": 3.1, "preprocess": 0.9, "infer": 7.4, "decode": 1.3, "output": 0.6}


class Viewer:
    """One WebSocket: what it watches, and what waits to be sent."""

    def __init__(self) -> None:
        self.watched: list[int] = []
        self.begun: set[int] = set()
        self.queue: asyncio.Queue[bytes | str | None] = asyncio.Queue(200)
        self.heard: list[list[int]] = []


class StandIn:
    """The run and its page.

    Args:
        sources: How many cameras, or their names.
        fps: Pictures a second of each.
        size: ``(height, width)`` of the pictures.
        numbered: Whether each frame's number is drawn into picture and mask.
        control: Whether sources can be changed.
        port: 0 for a free one.
    """

    def __init__(
        self, sources: int | list[str] = 1, fps: float = 25.0, size: tuple[int, int] = (360, 640),
        numbered: bool = False, control: bool = True, port: int = 0, seeds: int = 1, frames: int = 40,
    ) -> None:  # fmt: skip
        names = list(NAMES[:sources]) if isinstance(sources, int) else sources
        self.size, self.numbered, self.control, self.seeds, self.length = size, numbered, control, seeds, frames
        self.cameras = [Camera(name, at + 1, 3 + at % seeds, fps) for at, name in enumerate(names)]
        self.viewers: list[Viewer] = []
        self.begun = time.time()
        self.encoded = 0
        self.ended = False
        self.no_signal = False
        self.closed_with = 1012
        self._port = port
        self._lock = threading.Lock()
        self._random = random.Random(1)
        self._histories: dict[int, deque[list[float]]] = {}
        self.start()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve; also again, on the same port, after ``close``."""
        self._stopping = threading.Event()
        self._begin = time.monotonic()
        for camera in self.cameras:
            drive(camera.seed, self.size, self.length)
            camera.encoder, camera.next_s = None, 0.0
        settings = uvicorn.Config(
            self._app(), "127.0.0.1", self._port, log_level="critical", ws="websockets-sansio", lifespan="off"
        )
        self._server = uvicorn.Server(settings)
        socket = settings.bind_socket()
        self._port = socket.getsockname()[1]
        self._serving = threading.Thread(target=lambda: asyncio.run(self._server.serve(sockets=[socket])), daemon=True)
        self._serving.start()
        while not self._server.started:
            time.sleep(0.01)
        self._producing = threading.Thread(target=self._produce, daemon=True)
        self._producing.start()

    def close(self) -> None:
        """Close every connection and stop."""
        self._stopping.set()
        self._producing.join()
        for viewer in list(self.viewers):
            self._put(viewer, None)
        time.sleep(0.1)
        self._server.should_exit = True
        self._server.force_exit = True
        self._serving.join()

    def lose(self, name: str, message: str = "The camera does not answer. Trying again in 4 s.") -> None:
        self._camera(name).now_is("lost", message, "poor")

    def back(self, name: str) -> None:
        camera = self._camera(name)
        camera.reconnects += 1
        camera.now_is("live", "", "fair")

    def end(self) -> None:
        """The run ends: its page says so and closes."""
        self.ended, self.closed_with = True, 1001
        for viewer in list(self.viewers):
            self._put(viewer, json.dumps({"type": "status", **self.status()}))
            self._put(viewer, None)

    def status(self, history: bool = False) -> dict[str, Any]:
        names = class_names()
        return {
            "version": "0.9.0",
            "model": {"name": "street-fcn8s", "encoder": "resnet18", "decoder": "fcn8s", "size": list(self.size),
                      "backend": "tensorrt", "precision": "int8"},
            "classes": [{"id": at, "name": name, "color": COLORS[at]} for at, name in enumerate(names)],
            "void": 255,
            "now_unix_ms": time.time() * 1000,
            "started_unix_ms": self.begun * 1000,
            "ended": self.ended,
            "viewers": len(self.viewers),
            "control": self.control,
            "sources": [self._source(camera, history) for camera in self.cameras],
            "outputs": [{"sink": "out.mp4", "error": None}],
        }  # fmt: skip

    def _source(self, camera: Camera, history: bool) -> dict[str, Any]:
        rows = self._histories.setdefault(camera.number, deque(self._made_up(camera), maxlen=120))
        now = time.time()
        live = camera.state == "live" and not camera.paused
        if now - rows[-1][0] >= 1:
            rows.append(self._row(now, camera) if live else [now, 0.0, None, None])  # type: ignore[list-item]
        times = camera.times
        fps = (len(times) - 1) / (times[-1] - times[0]) if live and len(times) > 1 and times[-1] > times[0] else 0.0
        last = rows[-1]
        found = {
            "id": camera.id, "number": camera.number, "uri": f"rtsp://10.0.0.{10 + camera.number}/stream1",
            "state": camera.state, "grade": camera.grade, "message": camera.message,
            "since_unix_ms": camera.since * 1000, "paused": camera.paused, "size": list(self.size),
            "fps": round(fps, 1), "frames": camera.frames, "dropped": camera.dropped, "late": 0,
            "reconnects": camera.reconnects, "age_ms": round((now - times[-1]) * 1000, 1) if times else None,
            "latency_ms": {"p50": last[2], "p90": last[2] and round(last[2] * 1.2, 1), "p99": last[3]},
            "stages_ms": {
                name: {"p50": round(ms * (1 + 0.05 * math.sin(now + at)), 1), "p99": round(ms * 1.6 + 0.4, 1)}
                if live else {"p50": None, "p99": None}
                for at, (name, ms) in enumerate(STAGES.items())
            },
            "shares": camera.shares,
        }  # fmt: skip
        return {**found, "history": list(rows)} if history else found

    def _row(self, at: float, camera: Camera) -> list[float]:
        p50 = 13.3 + 0.8 * math.sin(at / 9 + camera.number) + self._random.uniform(-0.3, 0.3)
        p99 = p50 + 4 + self._random.expovariate(0.9)
        return [at, camera.fps - self._random.expovariate(4), round(p50, 1), round(p99, 1)]

    def _made_up(self, camera: Camera) -> list[list[float]]:
        now = time.time()
        return [self._row(now - 120 + second, camera) for second in range(120)]

    def _camera(self, name: str) -> Camera:
        return next(camera for camera in self.cameras if camera.id == name)

    def _produce(self) -> None:
        while not self._stopping.is_set():
            now = time.monotonic()
            soonest = now + 0.05
            for camera in list(self.cameras):
                if camera.next_s <= now:
                    self._picture(camera)
                    wait = 1 / camera.fps * (1 + self._random.uniform(-camera.jitter, camera.jitter))
                    camera.next_s = max(camera.next_s + wait, now - 0.1)
                soonest = min(soonest, camera.next_s)
            self._stopping.wait(max(0.0, soonest - time.monotonic()))

    def _picture(self, camera: Camera) -> None:
        if camera.paused or (camera.state != "live" and not self.no_signal):
            return
        capture = time.time()
        signal = camera.state == "live"
        if not signal:
            camera.next_s += 0.4
        if signal:
            camera.frames += 1
            camera.times.append(capture)
        images, masks = drive(camera.seed, self.size, self.length)
        step = (camera.frames + 13 * camera.number) % (2 * self.length - 2)
        at = min(step, 2 * self.length - 2 - step)  # there and back
        image, labels = images[at], masks[at]
        if self.numbered:
            image, labels = image.copy(), labels.copy()
            draw_number(image, labels, camera.frames % (1 << BITS))
        if not signal:
            image = image // 4
            cv2.putText(image, "no signal", (60, 180), cv2.FONT_HERSHEY_SIMPLEX, 2, (255, 255, 255), 3)
        camera.newest = image, labels
        if camera.frames % 12 == 1:
            counts = np.bincount(labels.ravel(), minlength=256)
            camera.shares = {
                name: round(float(count) / labels.size, 4) for name, count in zip(class_names(), counts, strict=False)
            }
        watching = [viewer for viewer in self.viewers if camera.number in viewer.watched]
        if not watching:
            camera.encoder = None
            return
        if camera.encoder is None:
            camera.encoder = UnitEncoder(Choice("libx264", Libx264Encoder), camera.fps)
            for viewer in watching:
                viewer.begun.discard(camera.number)
        self.encoded += 1
        for unit in camera.encoder.encode(image, round((time.monotonic() - self._begin) * 1e9)):
            self._send(camera, unit, labels if signal else None, capture, watching)

    def _send(
        self, camera: Camera, unit: AccessUnit, labels: NDArray[np.uint8] | None, capture: float, watching: list[Viewer]
    ) -> None:
        mask, flags = b"", int(unit.keyframe)
        if labels is None:
            flags |= 2
        else:
            deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
            mask = struct.pack("<HH", *labels.shape) + deflate.compress(labels.tobytes()) + deflate.flush()
        frame = message(2, flags, camera.number, unit.ticks, capture, fragment(unit), mask)
        for viewer in watching:
            if camera.number not in viewer.begun:
                if not unit.keyframe:
                    continue
                viewer.begun.add(camera.number)
                init = init_segment(unit)
                self._put(viewer, message(1, 0, camera.number, unit.ticks, capture, codec_of(unit).encode(), init))
            self._put(viewer, frame)

    def _put(self, viewer: Viewer, what: bytes | str | None) -> None:
        def put() -> None:
            with contextlib.suppress(asyncio.QueueFull):
                viewer.queue.put_nowait(what)

        with contextlib.suppress(RuntimeError):
            viewer.loop.call_soon_threadsafe(put)  # type: ignore[attr-defined]

    def _app(self) -> Starlette:
        routes = [
            Route("/", lambda _: FileResponse(STATIC / "index.html", headers={"Content-Security-Policy": POLICY})),
            Mount("/static", StaticFiles(directory=STATIC)),
            WebSocketRoute("/ws", self._socket),
            Route("/status.json", lambda _: JSONResponse(self.status(True))),
            Route("/login", lambda _: Response("<title>Log in</title>", media_type="text/html")),
            Route("/snapshot.jpg", self._snapshot),
            Route("/mask.png", self._mask),
            Route("/stream.mjpg", self._stream),
            Route("/api/sources", self._add, methods=["POST"]),
            Route("/api/sources/{id}", self._remove, methods=["DELETE"]),
            Route("/api/sources/{id}/{verb}", self._turn, methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _named(self, request: Request) -> Camera:
        name = request.query_params.get("source") or request.path_params.get("id") or self.cameras[0].id
        return self._camera(name)

    async def _snapshot(self, request: Request) -> Response:
        newest = self._named(request).newest
        assert newest
        return Response(cv2.imencode(".jpg", newest[0])[1].tobytes(), media_type="image/jpeg")

    async def _mask(self, request: Request) -> Response:
        newest = self._named(request).newest
        assert newest
        return Response(cv2.imencode(".png", newest[1])[1].tobytes(), media_type="image/png")

    async def _stream(self, request: Request) -> Response:
        camera = self._named(request)

        async def parts() -> AsyncIterator[bytes]:
            while not self._stopping.is_set():
                if camera.newest:
                    data = cv2.imencode(".jpg", camera.newest[0])[1].tobytes()
                    yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n"
                await asyncio.sleep(0.1)

        return StreamingResponse(parts(), media_type="multipart/x-mixed-replace; boundary=frame")

    async def _add(self, request: Request) -> Response:
        address = (await request.json())["source"]
        if not address.startswith("synthetic://"):
            fix = "Start the run with --allow-source and a pattern that matches it."
            return JSONResponse({"error": f"{address} is not an allowed source.", "fix": fix}, 403)
        number = max(camera.number for camera in self.cameras) + 1
        self.cameras.append(Camera(f"added{number}", number, 3, self.cameras[0].fps))
        return JSONResponse({"id": f"added{number}", "number": number}, 201)

    async def _remove(self, request: Request) -> Response:
        self.cameras.remove(self._named(request))
        return Response(status_code=204)

    async def _turn(self, request: Request) -> Response:
        camera = self._named(request)
        camera.paused = request.path_params["verb"] == "pause"
        camera.since = time.time()
        return Response(status_code=204)

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        viewer = Viewer()
        viewer.loop = asyncio.get_running_loop()  # type: ignore[attr-defined]
        self.viewers.append(viewer)
        sending = asyncio.create_task(self._sending(socket, viewer))
        telling = asyncio.create_task(self._telling(viewer))
        try:
            while True:
                viewer.watched = json.loads(await socket.receive_text())["watch"]
                viewer.heard.append(viewer.watched)
                viewer.begun &= set(viewer.watched)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self.viewers.remove(viewer)
            sending.cancel()
            telling.cancel()

    async def _sending(self, socket: WebSocket, viewer: Viewer) -> None:
        while (what := await viewer.queue.get()) is not None:
            await (socket.send_text(what) if isinstance(what, str) else socket.send_bytes(what))
        await socket.close(self.closed_with)

    async def _telling(self, viewer: Viewer) -> None:
        first = True
        while True:
            await viewer.queue.put(json.dumps({"type": "status", **self.status(first)}))
            first = False
            await asyncio.sleep(0.5)


def message(kind: int, flags: int, number: int, ticks: int, capture: float, first: bytes, second: bytes) -> bytes:
    """A binary message of the contract."""
    head = struct.pack("<BBHIQQII", kind, flags, number, 0, ticks, round(capture * 1e6), len(first), len(second))
    return head + first + second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    values = parser.parse_args()
    with StandIn(values.sources, values.fps, port=values.port, seeds=values.seeds) as stand_in:
        print(stand_in.url, flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
