"""The pictures of the live page in the documents: a run on the rendered street, opened in Chromium.

    python -m benchmarks.page_picture               # docs/live-page.jpg, and live-page-dark.jpg where both are small

Needs ``pip install -r requirements/dev.txt`` and a Chromium on the path.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from fcn_edge.cli.demo import MODEL, PAGE_STREET

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {"light": ROOT / "docs" / "live-page.jpg", "dark": ROOT / "docs" / "live-page-dark.jpg"}
"""File by color scheme; the documents need the first, the others come where there is room."""

STREET = PAGE_STREET
WIDTH, HEIGHT = 1280, 800
"""Of the window; the picture is of the whole page, which may be higher."""
MOST_BYTES = 150_000
"""Of all pictures together."""
QUALITIES = range(90, 69, -2)
"""Of JPEG; below, letters fray."""
START_S = 120.0
"""Seconds in which the run has to begin, on a machine that does other things as well."""

PLAYS = """() => {
  const videos = [...document.querySelectorAll("video")];
  return !videos.length || videos.some(one => one.readyState >= 2 && !one.paused && one.currentTime > 0);
}"""
"""Whether the page's video, if it has one, shows pictures."""


@click.command()
@click.option("--seconds", default=125.0, show_default=True, help="How long the run has gone on; the plot has 120.")
def main(seconds: float) -> None:
    """Write the pictures of the live page."""
    with served(MODEL, STREET) as address:
        pictures = pictures_of(address, tuple(PICTURES), seconds)
    encoded = fitted(pictures)
    for (scheme, path), data in zip(PICTURES.items(), [*encoded, None], strict=False):
        if data is None:
            click.echo(f"no {path.relative_to(ROOT)}: {scheme} has no room in {MOST_BYTES // 1000} kB")
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(data)
            click.echo(f"wrote {path.relative_to(ROOT)}, {len(data) / 1000:.1f} kB")


@contextlib.contextmanager
def served(model: str, source: str) -> Iterator[str]:
    """The address of the live page of a run, which ends with the block.

    Raises:
        click.ClickException: It serves none.
    """
    command = [sys.executable, "-m", "fcn_edge", "run", model, source, "http://:0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        said: list[str] = []
        told = threading.Event()

        def read() -> None:
            # to its end, so that a run that says much never waits for a reader
            assert run.stderr is not None
            for line in run.stderr:
                said.append(line)
                if "Live page: " in line:
                    told.set()
            told.set()

        reading = threading.Thread(target=read)
        reading.start()
        try:
            told.wait(START_S)
            found = re.search(r"Live page: (\S+)", "".join(said))
            if found is None:
                raise click.ClickException(f"{' '.join(command)} tells of no live page: {''.join(said).strip()}")
            yield found[1]
        finally:
            run.send_signal(signal.SIGINT)
            try:
                run.wait(30)
            except subprocess.TimeoutExpired:
                run.kill()
            reading.join()


def pictures_of(address: str, schemes: Sequence[str], seconds: float) -> list[NDArray[np.uint8]]:
    """Screenshots of a live page, one in each color scheme.

    Args:
        address: Of the page.
        schemes: ``light``, ``dark``.
        seconds: How long the run has to have gone on, so that its figures are steady.

    Returns:
        ``(H, W, 3)`` uint8 BGR each.

    Raises:
        click.ClickException: There is no browser, or no picture on the page.
    """
    from playwright.sync_api import Error, sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise click.ClickException("There is no Chromium. On Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as playwright:
        # no sandbox, which root and containers cannot have
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--hide-scrollbars"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1)
        try:
            page.goto(address)
            wait_until_steady(address, seconds)
            page.wait_for_function(PLAYS, timeout=30_000)
            found = []
            for scheme in schemes:
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(1500)  # for plots that are drawn anew with the next figures
                found.append(cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), cv2.IMREAD_COLOR))
        except Error as error:
            raise click.ClickException(f"The page could not be pictured: {error}") from error
        finally:
            browser.close()
    return found


def wait_until_steady(address: str, seconds: float) -> None:
    """Wait until the run behind a page has gone on for some seconds and gives frames.

    Raises:
        click.ClickException: It does not, or its source gives none.
    """
    end = time.monotonic() + seconds + START_S
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{address.rstrip('/')}/status.json", timeout=30) as answer:
            status = json.load(answer)
        ran = (status["now_unix_ms"] - status["started_unix_ms"]) / 1000
        if ran >= seconds and all(source["latency_ms"]["p50"] is not None for source in status["sources"]):
            return
        time.sleep(min(1.0, max(0.1, seconds - ran)))
    raise click.ClickException("The run gives no frames.")


def fitted(pictures: Sequence[NDArray[np.uint8]], most: int = MOST_BYTES) -> list[bytes]:
    """As many of the first pictures as fit, as JPEG of the best quality at which they do.

    Args:
        pictures: ``(H, W, 3)`` uint8 BGR each.
        most: Bytes of all together.

    Raises:
        click.ClickException: Not even the first one fits.
    """
    for count in range(len(pictures), 0, -1):
        for quality in QUALITIES:
            encoded = [jpeg(picture, quality) for picture in pictures[:count]]
            if sum(map(len, encoded)) <= most:
                return encoded
    raise click.ClickException(f"The picture is larger than {most // 1000} kB at a quality of {QUALITIES[-1]}.")


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """A picture as JPEG, as small as its quality allows."""
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    ]
    return cv2.imencode(".jpg", picture, options)[1].tobytes()


if __name__ == "__main__":
    main()
