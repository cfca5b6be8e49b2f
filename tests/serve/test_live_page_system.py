"""The live page of a real run, in a real browser: a camera, the shipped FCN-8s, Chromium."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from playwright.sync_api import Page, expect

from benchmarks.page.run import PageRun, page_run
from benchmarks.page.watching import chromium, delays_ms, shown_pictures
from tests.waits import until

from ..chromium import chromium_path
from ..servers.rtsp import RtspServer, needs_gstreamer

pytestmark = pytest.mark.system

MODEL = "camvid-mobilenet_v2-fcn8s"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    needs_gstreamer()
    if chromium_path() is None:
        pytest.skip("there is no chromium")
    with RtspServer(tmp_path_factory.mktemp("camera") / "log", size="480x640", fps=10, gop=10) as server:
        yield server


@pytest.fixture(scope="module")
def run(camera: RtspServer) -> Iterator[PageRun]:
    with page_run(MODEL, camera.url(options="name=front"), ["--size", "224x320"]) as started:
        yield started


def status(run: PageRun) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.get("status.json"))
    return found


def says(page: Page, state: str) -> None:
    """Wait until the page says that the source is in a state."""
    expect(page.locator("#source-state")).to_have_text(state, timeout=1000 * PATIENCE)


def state_of(run: PageRun) -> str:
    return str(status(run)["sources"][0]["state"])


def test_pictures_come_soon_and_each_is_the_camera_s_next_one(camera: RtspServer, run: PageRun) -> None:
    until(lambda: state_of(run) == "live")
    with chromium(run.url) as (page, problems):
        page.wait_for_timeout(4000)
        shown = shown_pictures(page, 5.0)
    delays = delays_ms(shown, camera.left())
    assert len({number for number, _, _ in shown}) >= 15  # it moves
    assert float(np.median(delays)) < 3000  # benchmarks/page/delay.py has the limit
    assert problems == []


def test_a_camera_that_is_killed_shows_as_lost_and_comes_back_without_a_reload(
    camera: RtspServer, run: PageRun
) -> None:
    until(lambda: state_of(run) == "live")
    with chromium(run.url) as (page, problems):
        page.evaluate("window.neverReloaded = true")
        says(page, "Live")
        live = run.get("snapshot.jpg")
        camera.kill()
        says(page, "Lost")
        away = run.get("snapshot.jpg")
        camera.start()
        says(page, "Live")
        page.wait_for_timeout(1500)
        shown = shown_pictures(page, 3.0)
        assert page.evaluate("window.neverReloaded")
    assert live != away
    assert len({number for number, _, _ in shown}) >= 5
    assert problems == []


def test_slider_legend_and_statistics_act(run: PageRun) -> None:
    until(lambda: state_of(run) == "live")
    with chromium(run.url) as (page, problems):
        page.wait_for_selector("#classes li")
        page.wait_for_timeout(2000)
        tiles = page.inner_text("#tiles")
        page.locator("#opacity").fill("0")
        page.wait_for_timeout(300)
        bare = page.locator("#screens").screenshot()
        page.locator("#opacity").fill("100")
        page.wait_for_timeout(300)
        covered = page.locator("#screens").screenshot()
        page.locator("#no-classes").click()
        page.wait_for_timeout(300)
        expect(page.locator("#tiles")).not_to_have_text(tiles, timeout=10_000)
    assert bare != covered
    assert problems == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overflows(run: PageRun, width: int, dark: bool) -> None:
    with chromium(run.url, width=width, dark=dark) as (page, problems):
        page.wait_for_selector("#classes li")
        page.wait_for_timeout(500)
        wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert wide[0] <= wide[1]
    levels = [int(part) for part in background.strip("rgba()").split(",")[:3]]
    assert (max(levels) < 100) is dark
    assert problems == []


def test_health_metrics_and_pictures_are_there(run: PageRun) -> None:
    until(lambda: state_of(run) == "live")
    assert run.get("healthz") == b"ok\n"
    assert run.get("readyz").startswith(b"Frames come from front")
    assert run.get("mask.png").startswith(b"\x89PNG")
    metrics = run.metrics()
    assert metrics["fcn_edge_source_frames_total"] > 0
    with urllib.request.urlopen(run.url + "stream.mjpg", timeout=10) as stream:
        assert stream.read(400_000).count(b"--fcn-edge\r\nContent-Type: image/jpeg") >= 2


def test_the_page_says_that_the_run_has_ended(tmp_path: Path) -> None:
    if chromium_path() is None:
        pytest.skip("there is no chromium")
    source = "synthetic://street?seed=1&size=240x320&fps=10"
    with page_run(MODEL, source, ["--size", "224x320"]) as run, chromium(run.url) as (page, _):
        says(page, "Live")
        run.stop()
        expect(page.locator("body")).to_contain_text("ended", timeout=1000 * PATIENCE)
