"""A Chromium that looks at a live page and notes when it shows which picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["NOTE_PICTURES", "chromium", "delays_ms", "shown_pictures"]

NOTE_PICTURES = """
(() => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = 288; canvas.height = 16;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  window.shownPictures = [];
  const note = (now, metadata) => {
    const unixMs = performance.timeOrigin + performance.now();
    const dueMs = performance.timeOrigin + metadata.expectedDisplayTime;
    context.drawImage(video, 0, 0, 288, 16, 0, 0, 288, 16);
    const pixels = context.getImageData(0, 0, 288, 16).data;
    const levels = [...Array(18).keys()].map(place => pixels[4 * (288 * 8 + 16 * place + 8)]);
    const bits = levels.map(level => level > 128 ? 1 : 0);
    const clear = levels.every(level => level < 64 || level > 192) && bits[0] && !bits[1];
    if (clear) window.shownPictures.push([bits.slice(2).reduce((sum, bit) => 2 * sum + bit, 0), unixMs, dueMs]);
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
})()
"""
"""Reads the number in the corner of each picture (``tests/servers/frame_numbers.py``) when it is shown."""


@contextmanager
def chromium(url: str, width: int = 1280, height: int = 800, dark: bool = False) -> Iterator[tuple[Page, list[str]]]:
    """A page in a browser without a window, and what its console says against it.

    Args:
        url: What it opens.
        width: Of its window, in pixels.
        height: Of its window, in pixels.
        dark: It prefers dark pages.
    """
    from playwright.sync_api import sync_playwright

    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", is_mobile=False
        )
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        try:
            yield page, problems
        finally:
            browser.close()


def shown_pictures(page: Page, seconds: float) -> list[tuple[int, float, float]]:
    """Numbers of the pictures that are shown in a time.

    Each comes with when it was handed to the compositor and when it is on the screen, in milliseconds of Unix time.
    """
    page.wait_for_selector("video")
    page.evaluate(NOTE_PICTURES)
    page.wait_for_timeout(1000 * seconds)
    shown: list[Any] = page.evaluate("window.shownPictures")
    return [(int(number), float(handed), float(due)) for number, handed, due in shown]


def delays_ms(shown: list[tuple[int, float, float]], left: dict[int, list[int]]) -> list[float]:
    """Camera to screen: how long ago the camera had given out each picture when it was on the screen.

    Args:
        shown: What ``shown_pictures`` gave.
        left: When pictures of each number left the camera, in nanoseconds of Unix time.
    """
    found = []
    for number, _, due_ms in shown:
        before = [unix_ns / 1e6 for unix_ns in left.get(number, []) if unix_ns / 1e6 <= due_ms]
        if before:
            found.append(due_ms - max(before))
    return found
