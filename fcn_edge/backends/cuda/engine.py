"""Engines whose sessions run on one GPU."""

from __future__ import annotations

import threading
from abc import abstractmethod
from contextlib import ExitStack

from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Engine
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.frame_work import Network
from fcn_edge.backends.cuda.objects import Stream
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.backends.options import RUN_DEFAULTS, RunOptions
from fcn_edge.errors import UsageError

__all__ = ["CudaEngine"]


class CudaEngine(Engine):
    """An engine on a GPU; a subclass makes the network of each session.

    Args:
        backend: Name of the backend.
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        device: The GPU; closed with the engine.
        options: Whether the sessions capture their work, and where they bring frames of the host to the network's size.
    """

    def __init__(
        self,
        backend: str,
        spec: ModelSpec,
        size: Size,
        device: Device,
        options: RunOptions = RUN_DEFAULTS,
    ) -> None:
        self.backend = backend
        self.spec = spec
        self.size = size
        self.closed = False
        self.reached_through = device.facts.library + ("" if device.has_graphs else ", which has no CUDA graphs")
        self._device = device
        self._options = options
        self._sessions: list[CudaSession] = []
        self._lock = threading.Lock()

    @abstractmethod
    def make_network(self, stream: Stream) -> Network:
        """A network for one session, whose frames go through a stream; the GPU is current.

        Raises:
            ModelError: The model does not fit its spec.
            MachineError: There is too little memory.
        """

    @abstractmethod
    def release(self) -> None:
        """Give the library's objects back; the sessions are closed and the GPU is current."""

    @override
    def session(self) -> CudaSession:
        with self._lock:
            if self.closed:
                raise UsageError("The engine is closed.", "Load the model again.")
            with self._device.current(), ExitStack() as made:
                stream = made.enter_context(self._device.stream())
                network = self.make_network(stream)
                made.pop_all()  # the session closes both from here on
                session = CudaSession(self.spec, self.size, self._device, network, stream, self._options)
            self._sessions = [other for other in self._sessions if not other.closed] + [session]
            return session

    @override
    def close(self) -> None:
        with self._lock:
            if self.closed:
                return
            self.closed = True
            with ExitStack() as closing:
                closing.callback(self._device.close)
                closing.callback(self._release_current)
                for session in self._sessions:
                    closing.callback(session.close)

    def _release_current(self) -> None:
        with self._device.current():
            self.release()
