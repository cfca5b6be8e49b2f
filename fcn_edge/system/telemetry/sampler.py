"""A thread that reads the machine's sensors while something else runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from fcn_edge.errors import UsageError
from fcn_edge.system.telemetry.nvml import Nvml
from fcn_edge.system.telemetry.record import Telemetry
from fcn_edge.system.telemetry.sensors import read_sensors
from fcn_edge.system.telemetry.span import Span

__all__ = ["Sampler"]


class Sampler:
    """Reads the sensors of the machine for as long as a ``with`` block lasts.

        sampler = Sampler(device=0)
        with sampler:
            work()
        print(sampler.telemetry.watts, sampler.telemetry.power_source)

    The sensors are looked for once, when it is made; each ``with`` block after that is a span of its own, so that one
    sampler serves many measurements, one after the other.

    Args:
        device: CUDA's number of the GPU that runs the work; None where the processor does.
        root: Where ``/proc`` and ``/sys`` are found.
        nvml: The module ``pynvml``; the installed one when left out.
        interval: Seconds between two samples of power.
        clock: Monotonic time in nanoseconds.

    Raises:
        UsageError: ``interval`` is not above 0.
    """

    def __init__(
        self,
        device: int | None = None,
        *,
        root: Path = Path("/"),
        nvml: Nvml | None = None,
        interval: float = 0.1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not interval > 0:
            raise UsageError(f"interval is {interval}; a number of seconds above 0 was expected.")
        self._sensors = read_sensors(root, device, nvml)
        self._interval, self._clock = interval, clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._span: Span | None = None
        self._thread: threading.Thread | None = None
        self._telemetry: Telemetry | None = None

    @property
    def telemetry(self) -> Telemetry:
        """What was read in the last ``with`` block.

        Raises:
            UsageError: None has ended yet.
        """
        if self._telemetry is None:
            raise UsageError("The sampler has no telemetry before its with block has ended.")
        return self._telemetry

    def __enter__(self) -> Sampler:
        if self._span is not None:
            raise UsageError("The sampler is in a with block already; make a second one for a span inside it.")
        self._telemetry = None
        self._over = threading.Event()
        self._span = span = Span(self._sensors, self._clock)
        # without sensors, as in most virtual machines, no thread disturbs what is measured
        if self._sensors.change:
            self._thread = threading.Thread(target=self._sample, args=(span, self._over), name="telemetry", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        span, thread = self._span, self._thread
        self._span = self._thread = None
        self._over.set()
        if span is not None:
            with self._lock:  # before the thread is waited for: the span ends here
                self._telemetry = span.end()
        if thread is not None:
            thread.join()

    def _sample(self, span: Span, over: threading.Event) -> None:
        while not over.wait(self._interval):
            with self._lock:
                if not over.is_set():
                    span.sample()
