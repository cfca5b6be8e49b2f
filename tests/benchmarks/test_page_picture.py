"""The pictures of the live page: how many fit, and how a page is waited for and pictured."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import page_picture
from fcn_edge.cli.run import command
from tests.chromium import chromium_path

HTML = """<!doctype html><style>
body { margin: 0; background: #ffffff } @media (prefers-color-scheme: dark) { body { background: #000000 } }
</style>"""


def noise(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(1).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height)).astype(np.uint8)


def test_the_best_quality_that_fits_is_taken() -> None:
    picture = noise(160, 320)
    best = page_picture.jpeg(picture, page_picture.QUALITIES[0])
    less = page_picture.jpeg(picture, page_picture.QUALITIES[1])
    assert page_picture.fitted([picture], len(best)) == [best]
    assert page_picture.fitted([picture], len(best) - 1) == [less]


def test_the_second_picture_comes_where_there_is_room_for_both() -> None:
    pictures = [noise(160, 320), noise(160, 320)]
    least = len(page_picture.jpeg(pictures[0], page_picture.QUALITIES[-1]))
    assert len(page_picture.fitted(pictures, 2 * least)) == 2
    assert len(page_picture.fitted(pictures, 2 * least - 1)) == 1
    with pytest.raises(click.ClickException, match="is larger than"):
        page_picture.fitted(pictures, least - 1)


def test_the_run_of_the_pictures_is_understood() -> None:
    words = [page_picture.MODEL, page_picture.STREET, "http://:0"]
    assert command.make_context("run", words).params["source"] == page_picture.STREET


def test_the_pictures_of_the_documents_have_room() -> None:
    there = [path for path in page_picture.PICTURES.values() if path.exists()]
    if not there:
        pytest.skip("the pictures are not made yet")
    assert sum(path.stat().st_size for path in there) <= page_picture.MOST_BYTES
    for path in there:
        height, width, _ = cv2.imread(str(path)).shape
        assert width == page_picture.WIDTH
        assert height >= page_picture.HEIGHT


@contextmanager
def page(p50_ms: float | None, html: str = HTML) -> Iterator[str]:
    """A page without video, and figures of a run that has begun a minute ago."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = time.time() * 1000
            status: dict[str, Any] = {
                "now_unix_ms": now,
                "started_unix_ms": now - 60_000,
                "sources": [{"latency_ms": {"p50": p50_ms}}],
            }
            body = json.dumps(status) if self.path == "/status.json" else html
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


def test_a_run_is_steady_when_its_time_is_over_and_frames_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_picture, "START_S", 0.2)
    with page(12.5) as address:
        page_picture.wait_until_steady(address, 10)
    with page(None) as address, pytest.raises(click.ClickException, match="gives no frames"):
        page_picture.wait_until_steady(address, 0)


@pytest.mark.system  # a browser
def test_a_page_is_pictured_in_light_and_dark() -> None:
    pytest.importorskip("playwright")
    if chromium_path() is None:
        pytest.skip("needs Chromium")
    with page(12.5) as address:
        light, dark = page_picture.pictures_of(address, ("light", "dark"), 10)
    assert light.shape == dark.shape == (page_picture.HEIGHT, page_picture.WIDTH, 3)
    assert (light == 255).all()
    assert (dark == 0).all()


@pytest.mark.system  # another process
def test_a_run_without_a_page_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (
        pytest.raises(click.ClickException, match=re.escape(f"There is no file or folder '{tmp_path}/x.mp4'")),
        page_picture.served(page_picture.MODEL, f"{tmp_path}/x.mp4"),
    ):
        pytest.fail("there is no page")
