"""A stream that is pushed to an RTSP server, and pushed again whenever that was lost."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.backoff import Backoff
from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.rtsp import failures
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.runtime.sinks.rtsp.unit_child import UnitChild
from fcn_edge.runtime.sinks.shared_video import SharedVideo

__all__ = ["Pusher", "check_reachable"]

_LOG = logging.getLogger(__name__)
WORKER = Path(__file__).with_name("push_worker.py")
CONNECT_TIMEOUT = 5.0
SILENT = 10.0
"""Seconds without one access unit sent, while some wait, after which the far server is given up."""
SLICE = 0.2
SETTLED = 10.0
"""Seconds of sending after which the next loss is a new one, which is tried again soon."""


class Pusher(Closeable):
    """Sends a source's video to a far server, in a child process, session after session. Begun by ``start``.

    Args:
        address: Where to.
        video: The video.

    Attributes:
        error: Why it never got there; None while it may, and once it was there.
    """

    def __init__(self, address: RtspAddress, video: SharedVideo) -> None:
        self.error: FcnEdgeError | None = None
        self._address = address
        self._video = video
        self._backoff = Backoff()
        self._reached = False
        self._child: UnitChild | None = None
        self._closed = threading.Event()
        self._over = threading.Event()
        self._skipping = True
        self._sent = self._acknowledged = 0
        self._begun = self._heard_at = 0.0
        self._code = ""
        self._thread = threading.Thread(target=self._run, name="fcn-edge push", daemon=True)

    @property
    def pid(self) -> int | None:
        """Number of the child; None where there is none just now."""
        child = self._child
        return None if child is None else child.pid

    def start(self) -> None:
        """Begin to push, as soon as there is a picture."""
        self._thread.start()

    @override
    def close(self) -> None:
        self._closed.set()
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        lost_at: float | None = None
        while not self._closed.is_set():
            try:
                self._session()
            except OSError:
                self._code = "OSError"
            if self._closed.is_set():
                return
            now = time.monotonic()
            if not self._reached:
                self.error = failures.push_failed(self._address, self._code)
                return
            if self._acknowledged or lost_at is None:
                _LOG.warning("%s is lost, and is pushed to again when it answers.", self._address.text)
                lost_at = now
                if now - self._begun > SETTLED:
                    self._backoff.reset()
            refused = self._code.startswith("HTTP")
            self._closed.wait(self._backoff.delay(now - lost_at, persistent=refused))

    def _session(self) -> None:
        """Push until the far server is lost, or ``close``."""
        self._sent = self._acknowledged = 0
        self._skipping, self._code = True, ""
        self._begun = self._heard_at = time.monotonic()
        self._over.clear()
        if self._closed.is_set():
            return
        child = UnitChild(
            [sys.executable, "-B", str(WORKER)], self._heard, lambda _: self._over.set(), "push", _modules_as_here()
        )
        self._child = child
        child.tell(0, url=self._address.location)
        child.start()
        subscription = self._video.subscribe(self._send)
        try:
            while not self._over.wait(SLICE):
                if self._sent > self._acknowledged and time.monotonic() - self._heard_at > SILENT:
                    child.kill()
        finally:
            subscription.end()
            self._child = None
            child.close()

    def _send(self, unit: AccessUnit, time_ns: int) -> None:
        child = self._child
        if child is None or (self._skipping and not unit.keyframe):
            return
        if self._sent == self._acknowledged:
            self._heard_at = time.monotonic()
        self._skipping = not child.send(0, unit, time_ns)
        self._sent += not self._skipping

    def _heard(self, message: dict[str, Any]) -> None:
        self._heard_at = time.monotonic()
        if message.get("kind") == "sent":
            self._acknowledged += 1
            self._reached = True
        else:
            self._code = str(message.get("code"))


def check_reachable(address: RtspAddress) -> None:
    """Ask whether anybody listens at an address that is pushed to.

    Raises:
        MachineError: Nobody does.
    """
    try:
        socket.create_connection((address.host, address.port), CONNECT_TIMEOUT).close()
    except socket.gaierror:
        raise failures.unreachable(address, "nobody knows a machine of this name") from None
    except TimeoutError:
        raise failures.unreachable(address, f"nothing answered within {CONNECT_TIMEOUT:g} s") from None
    except ConnectionRefusedError:
        raise failures.unreachable(address, f"nothing listens on its port {address.port}") from None
    except (OSError, UnicodeError):
        raise failures.unreachable(address, "there is no way to this machine") from None


def _modules_as_here() -> dict[str, str]:
    """Environment in which a child finds the modules that this process finds."""
    return {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path), "PYTHONSAFEPATH": "1"}
