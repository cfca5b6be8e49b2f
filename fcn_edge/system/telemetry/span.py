"""Sensors read over a span of time, and what they come to."""

from __future__ import annotations

from collections.abc import Callable

from fcn_edge.system.telemetry.load import load_average, read_cpu_time
from fcn_edge.system.telemetry.meter import PowerRecord
from fcn_edge.system.telemetry.nvml import THROTTLE_REASONS
from fcn_edge.system.telemetry.record import Telemetry
from fcn_edge.system.telemetry.sensors import Sensors

__all__ = ["Span"]

STATE_NS = 500_000_000
"""Clocks, temperatures and throttling are read no more often: kernels themselves look at zones once a second, and on a
machine with many cores these are many files."""


class Span:
    """A span of time that begins now.

    Args:
        sensors: What is read.
        clock: Monotonic time in nanoseconds.
    """

    def __init__(self, sensors: Sensors, clock: Callable[[], int]) -> None:
        self._sensors, self._clock = sensors, clock
        self._load = load_average(sensors.root)
        self._clocks: dict[str, tuple[float, float]] = {}
        self._temperatures: dict[str, float] = {}
        self._throttled: dict[str, None] = {}
        self._gpu_loads: list[float] = []
        self._counted = {words: counter() for words, counter in sensors.throttle_counters.items()}
        self._cpu_time = read_cpu_time(sensors.root)
        self._read_state()
        # last, so that what was read before it is outside the span
        self._began = self._state_at = clock()
        self._power = PowerRecord(sensors.meter, self._began)

    def sample(self) -> None:
        """Read power, and now and then the rest as well."""
        now = self._clock()
        self._power.read(now)
        if now - self._state_at >= STATE_NS:
            self._state_at = now
            self._read_state()

    def end(self) -> Telemetry:
        """What was read from the beginning until now."""
        now = self._clock()
        self._power.read(now)
        self._read_state()
        seconds = (now - self._began) / 1e9
        watts, joules = self._power.over(seconds)
        sensors, cpu_time = self._sensors, read_cpu_time(self._sensors.root)
        return Telemetry(
            seconds=seconds,
            watts=watts,
            joules=joules,
            power_source=sensors.meter.source if sensors.meter and watts is not None else "",
            power_absent="" if watts is not None else self._why_no_power(),
            clocks_mhz=self._clocks,
            clock_limits_mhz={
                name: clock.limit_mhz for name, clock in sensors.clocks.items() if clock.limit_mhz is not None
            },
            temperature_c=self._temperatures,
            throttled=(*self._throttled, *self._counted_since()),
            gpu_load=sum(self._gpu_loads) / len(self._gpu_loads) if self._gpu_loads else None,
            load=self._load,
            steal=cpu_time.steal_since(self._cpu_time) if cpu_time and self._cpu_time else None,
        )

    def _read_state(self) -> None:
        sensors = self._sensors
        for name, clock in sensors.clocks.items():
            if (mhz := clock.mhz()) is not None:
                least, most = self._clocks.get(name, (mhz, mhz))
                self._clocks[name] = min(least, mhz), max(most, mhz)
        for zone, temperature in sensors.temperatures.items():
            if (degrees := temperature()) is not None:
                self._temperatures[zone] = max(degrees, self._temperatures.get(zone, degrees))
        for words, state in sensors.cooling.items():
            if (state() or 0) > 0:
                self._throttled[words] = None
        reasons = int(sensors.gpu_reasons() or 0) if sensors.gpu_reasons else 0
        self._throttled.update({f"GPU: {words}": None for bit, words in THROTTLE_REASONS.items() if reasons & bit})
        if sensors.gpu_load and (load := sensors.gpu_load()) is not None:
            self._gpu_loads.append(load)

    def _why_no_power(self) -> str:
        meter = self._sensors.meter
        if meter is None:
            return self._sensors.power_absent
        if meter.joules and meter.joules() is not None:
            return f"The counter of {meter.source} did not move within the span, which is too short for it."
        return f"{meter.source} told no power within the span."

    def _counted_since(self) -> list[str]:
        found = []
        for words, counter in self._sensors.throttle_counters.items():
            before, now = self._counted[words], counter()
            if before is not None and now is not None and now > before:
                found.append(f"{words}, {now - before:.0f} times" if now - before > 1 else f"{words}, once")
        return found
