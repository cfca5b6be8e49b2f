"""A headless Chromium, driven over the DevTools protocol through a pipe, for tests of pages."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Page", "chromium_path", "opened"]

LONGEST = 60.0
"""Seconds after which a browser that does not answer is given up."""

LAUNCHER = """
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes a browser that reads its file 3 and writes its file 4, which is where it looks for the protocol's pipes."""


def chromium_path() -> str | None:
    """The browser's program; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A page in the browser.

    Attributes:
        problems: What its console said of level error, uncaught exceptions and requests that failed.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.problems: list[str] = []
        self._reading, self._writing = reading, writing
        self._numbers = itertools.count(1)
        self._received = b""
        self._session: str | None = None
        self._events: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, width: int, dark: bool = False, height: int = 900) -> None:
        """Load a file in a window of that many pixels and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._take(self._next())

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """Press a key, such as ``Enter`` with the text ``\\r``."""
        code = {"Enter": 13, "Tab": 9}[key]
        for kind in ("keyDown", "keyUp"):
            shown = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **shown)

    def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def printed(self) -> bytes:
        """The page as PDF, as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def call(self, method: str, **values: Any) -> Any:
        """Ask for a method of the protocol and wait for its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": values}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._take(answer)

    def _take(self, event: dict[str, Any]) -> None:
        method, values = event.get("method", ""), event.get("params", {})
        self._events.append(method)
        if method == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.problems.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")
        if method == "Runtime.consoleAPICalled" and values["type"] in ("error", "assert"):
            self.problems.append(str(values["args"]))
        if method == "Runtime.exceptionThrown":
            self.problems.append(values["exceptionDetails"]["text"])
        if method == "Network.requestWillBeSent" and not values["request"]["url"].startswith(("file:", "data:")):
            self.problems.append(f"it asked for {values['request']['url']}")

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + LONGEST
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._reading], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self._reading, 1 << 20)
            assert more, "the browser has ended"
            self._received += more
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def opened(program: str, home: Path) -> Iterator[Page]:
    """A browser with one page; it ends with the block.

    Args:
        program: The browser's program.
        home: An empty directory for its profile.
    """
    its_input, our_output = os.pipe()
    our_input, its_output = os.pipe()
    # no sandbox, which root and containers cannot have
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
    browser = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(its_input), str(its_output), program, *flags, f"--user-data-dir={home}"],
        pass_fds=(its_input, its_output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(its_input)
    os.close(its_output)
    try:
        yield Page(our_input, our_output)
    finally:
        os.close(our_output)
        os.close(our_input)
        browser.terminate()
        try:
            browser.wait(10)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
