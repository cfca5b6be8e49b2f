"""The RTSP server of a run, in a child process that is started again when it dies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.gstreamer_child import ended_how
from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.rtsp import failures
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.runtime.sinks.rtsp.unit_child import UnitChild
from fcn_edge.system.gstreamer import SYSTEM_PYTHON

__all__ = ["Mount", "RtspServer", "RtspServers"]

_LOG = logging.getLogger(__name__)
WORKER = Path(__file__).with_name("server_worker.py")
START_TIMEOUT = 20.0
"""Seconds until it serves; on its first start GStreamer looks through all its plugins."""
MOUNT_TIMEOUT = 2.0
"""Seconds until a new address can be opened; it takes milliseconds."""
RESTARTS = 5
"""That may follow each other within ``SETTLED`` seconds each."""
SETTLED = 60.0
PAUSE = 0.5
"""Seconds between its end and its next start."""


class Mount:
    """One address of a server, while it is there.

    Args:
        server: The server.
        number: What the child calls it.
        path: The path.
        looked_at: Called with the mount and whether somebody looks at it, in a thread of the server's.
    """

    def __init__(self, server: RtspServer, number: int, path: str, looked_at: Callable[[Mount, bool], None]) -> None:
        self._server = server
        self._skipping = True
        self.number = number
        self.path = path
        self.looked_at = looked_at
        self.there = threading.Event()

    def send(self, unit: AccessUnit, time_ns: int) -> None:
        """Send an access unit to all that look; where there is no room, all up to the next keyframe are left out.

        Args:
            unit: The unit.
            time_ns: Nanoseconds of the monotonic clock at which its picture was taken.
        """
        if self._skipping and not unit.keyframe:
            return
        self._skipping = not self._server.send(self.number, unit, time_ns)

    def close(self) -> None:
        """Take it away; whoever looks at it is sent away."""
        self._server.remove(self)


class RtspServer(Closeable):
    """gst-rtsp-server at one port, for all mounts of a run.

    Args:
        address: One of the addresses at this port.
        token: What a client must know; None where everybody may look.
        python: The interpreter that has ``gi``.
        program: What it runs.

    Attributes:
        port: The port that it has.
        error: What ended it for good.

    Raises:
        MachineError: The machine lacks what it needs, or the port is taken.
    """

    def __init__(
        self, address: RtspAddress, token: str | None, python: str = SYSTEM_PYTHON, program: Path = WORKER
    ) -> None:
        self.error: FcnEdgeError | None = None
        self.port = address.port
        self._address = address
        self._token = token
        self._words = [python, "-IB", str(program)]
        self._lock = threading.RLock()
        self._mounts: dict[int, Mount] = {}
        self._made = 0
        self._crashes = 0
        self._started = 0.0
        self._answered = threading.Event()
        self._serving = False
        self._closed = threading.Event()
        self._child: UnitChild | None = None  # None while none runs
        self._newest: UnitChild | None = None
        self._refusal: dict[str, Any] = {}
        self._start()
        answered = self._answered.wait(START_TIMEOUT)
        if not self._serving:
            self.close()
            raise failures.not_served(address, self._refusal) if answered else failures.no_python(address.text)

    @property
    def pid(self) -> int | None:
        """Number of the child; None where there is none just now."""
        child = self._child
        return None if child is None else child.pid

    def mount(self, path: str, looked_at: Callable[[Mount, bool], None]) -> Mount:
        """Add an address.

        Args:
            path: Begins with ``/``.
            looked_at: Called with the mount and whether somebody looks at it, in a thread of the server's and perhaps
                before this returns; it must not wait.

        Raises:
            UsageError: There is one of this path already.
        """
        with self._lock:
            if any(mount.path == path for mount in self._mounts.values()):
                raise UsageError(
                    f"rtsp://:{self.port}{path} is hosted for another source or sink already.",
                    "Call sources (#name=...) or sinks otherwise.",
                )
            mount = Mount(self, self._made, path, looked_at)
            self._made += 1
            self._mounts[mount.number] = mount
            if self._child is not None:
                self._child.tell(mount.number, kind="mount", path=path)
        mount.there.wait(MOUNT_TIMEOUT)
        return mount

    def remove(self, mount: Mount) -> None:
        """Take an address away."""
        with self._lock:
            if self._mounts.pop(mount.number, None) is not None and self._child is not None:
                self._child.tell(mount.number, kind="unmount")

    def send(self, number: int, unit: AccessUnit, time_ns: int) -> bool:
        """Send an access unit to those that look at a mount; False where it was left out."""
        child = self._child
        return child is not None and child.send(number, unit, time_ns)

    @override
    def close(self) -> None:
        with self._lock:
            self._closed.set()
            self._child = None
            newest = self._newest
        if newest is not None:
            newest.close()

    def _start(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._started = time.monotonic()
            try:
                child = UnitChild(self._words, self._heard, self._over, "rtsp")
            except OSError:
                raise failures.no_python(self._address.text) from None
            self._child = self._newest = child
            child.tell(0, host=self._address.host, port=self.port, token=self._token)
            for mount in self._mounts.values():
                child.tell(mount.number, kind="mount", path=mount.path)
            child.start()

    def _heard(self, message: dict[str, Any]) -> None:
        kind = message.get("kind")
        if kind in ("looked_at", "mounted"):
            with self._lock:
                mount = self._mounts.get(int(message["number"]))
            if mount is not None and kind == "mounted":
                mount.there.set()
            elif mount is not None:
                mount.looked_at(mount, bool(message["on"]))
        elif kind == "serving":
            self.port, self._serving = int(message["port"]), True
            self._answered.set()
        else:
            self._refusal = message

    def _over(self, status: int | None) -> None:
        """The child has ended: nobody looks any more, and the next one is started."""
        with self._lock:
            child, self._child = self._child, None
            mounts = list(self._mounts.values())
            first = not self._serving
        if child is not None:
            with suppress(OSError):
                child.close()
        self._answered.set()
        if first or self._closed.is_set():
            return
        for mount in mounts:
            mount.looked_at(mount, False)
        self._crashes = self._crashes + 1 if time.monotonic() - self._started < SETTLED else 1
        if self._crashes > RESTARTS:
            self.error = failures.crashed(self._address.text, status, self._crashes)
            return
        how = "ended" if status is None else ended_how(status)
        _LOG.warning("The RTSP server of %s %s; it is started again.", self._address.text, how)
        if self._closed.wait(PAUSE):
            return
        try:
            self._start()
        except FcnEdgeError as error:
            self.error = error


class RtspServers(Closeable):
    """The RTSP servers of a run, one for each host and port, for as long as the run lasts.

    Args:
        token: What a client must know that looks from another machine; None where there is no token.
    """

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._servers: dict[tuple[str, int], RtspServer] = {}

    def at(self, address: RtspAddress) -> RtspServer:
        """The server of an address, which is started with the first one that asks for it.

        Raises:
            UsageError: Other machines could look, and there is no token.
            MachineError: The machine lacks what it needs, or the port is taken.
        """
        if not address.is_loopback and self._token is None:
            raise failures.open_to_all(address)
        key = address.host, address.port
        if key not in self._servers:
            self._servers[key] = RtspServer(address, None if address.is_loopback else self._token)
        return self._servers[key]

    @override
    def close(self) -> None:
        servers, self._servers = self._servers, {}
        for server in servers.values():
            server.close()
