"""The live page's server: Uvicorn in a thread of its own, on a socket that is bound before anything runs."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.connections import HttpConnection, WebSocketConnection
from fcn_edge.serve.request_limits import LARGEST_HEADERS

__all__ = ["Server"]

LARGEST_MESSAGE = 16 << 10
"""Bytes of a WebSocket's message from a client."""
KEEP_ALIVE_S = 5
PING_S = 20.0
_BACKLOG = 512
_LAST_WORDS_S = 0.5
_LONGEST_END_S = 2.0
_TICKS_PER_S = 10

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Server:
    """Serves an app until it is closed.

    Args:
        app: The page, behind its guard.
        address: Where it listens.

    Raises:
        UsageError: The machine has no such address, or this user may not take the port.
        MachineError: The port is taken.

    Attributes:
        loop: The thread's event loop, for ``asyncio.run_coroutine_threadsafe`` and ``call_soon_threadsafe``.
        port: The one that was found where the address asks for a free one.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, app: ASGIApp, address: PageAddress) -> None:
        self._address = address
        bound = _bound(address)
        self.port: int = bound.getsockname()[1]
        self._failure: BaseException | None = None
        self._is_up = threading.Event()
        config = uvicorn.Config(
            app,
            http=HttpConnection,
            ws=WebSocketConnection,
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
        )
        self._uvicorn = _Uvicorn(config, self)
        self._thread = threading.Thread(target=self._serve, args=(bound,), name="fcn_edge live page", daemon=True)
        self._thread.start()
        self._is_up.wait()
        if self._failure is not None:
            self._thread.join()
            raise MachineError("The live page's server did not start.") from self._failure

    @property
    def url(self) -> str:
        """Where a browser finds the page; of a server at all addresses, the one by which the network knows us."""
        host = self._address.host
        if host in ("0.0.0.0", "::"):
            host = _outward_address()
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def close(self) -> None:
        """Close all connections and end the thread, within two seconds."""
        self._uvicorn.should_exit = True
        self._thread.join(2 * _LONGEST_END_S)

    def began(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called in the thread when the server answers."""
        self.loop = loop
        loop.set_exception_handler(_told_quietly)
        self._is_up.set()

    def _serve(self, bound: socket.socket) -> None:
        try:
            self._uvicorn.run([bound])
        except BaseException as error:  # Uvicorn leaves by SystemExit
            self._failure = error
            _log.debug("The server ended.", exc_info=True)
        finally:
            bound.close()
            self._is_up.set()


class _Uvicorn(uvicorn.Server):
    """Uvicorn, which looks after its connections and ends whatever its clients do."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._server.began(asyncio.get_running_loop())

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_S == 0:
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.look(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        for connection in self._connections():
            _say_goodbye(connection)
        await self._emptied(_LAST_WORDS_S)
        for connection in self._connections():
            connection.give_up()
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LONGEST_END_S - _LAST_WORDS_S - 0.5)
        await self._emptied(0.2)

    async def _emptied(self, seconds: float) -> None:
        """Wait until clients have taken what was sent and their requests have ended, but no longer than this."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < end:
            await asyncio.sleep(0.01)

    def _connections(self) -> list[HttpConnection | WebSocketConnection]:
        return list(self.server_state.connections)  # type: ignore[arg-type]


def _say_goodbye(connection: HttpConnection | WebSocketConnection) -> None:
    try:
        connection.shutdown()
    except Exception:  # a connection may be in any state
        connection.give_up()


def _bound(address: PageAddress) -> socket.socket:
    """A socket that listens, so that nobody else takes the port between."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = None
    try:
        bound = socket.socket(family, socket.SOCK_STREAM)
        # a port that a server has just left may be taken again at once
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((address.host, address.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        if bound is not None:
            bound.close()
        raise _bind_error(address, error) from error
    return bound


def _bind_error(address: PageAddress, error: OSError) -> UsageError | MachineError:
    host, port = address.host, address.port
    if error.errno == errno.EADDRINUSE:
        return MachineError(
            f"Another program serves port {port} of {host} already, so that the live page cannot.",
            f"Give it another port, or stop that program; this shows it: ss -ltnp 'sport = :{port}'",
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL):
        return UsageError(
            f"This machine has no address {host} at which the live page could listen.",
            f"Take one that the command hostname -I lists, or http://0.0.0.0:{port} for all of them.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(f"Port {port} is only for the system's administrator.", "Take one above 1023, such as 8080.")
    if error.errno == errno.EAFNOSUPPORT:
        return MachineError("This machine has no IPv6.", f"Give an IPv4 address, such as http://0.0.0.0:{port}.")
    return MachineError(f"The live page cannot listen at port {port} of {host}: {error.strerror}.")


def _outward_address() -> str:
    """The address of this machine from which packets to the network would go; none is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
    except OSError:  # no network
        return "127.0.0.1"


def _told_quietly(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What clients make asyncio complain of is nothing for the terminal."""
    _log.debug("%s", context.get("message"), exc_info=context.get("exception"))
