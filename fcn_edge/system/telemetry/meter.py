"""Power and energy: what tells them, and what that comes to over a span of time."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.system.telemetry.readings import Reading

__all__ = ["Meter", "PowerRecord"]


@dataclass(frozen=True)
class Meter:
    """What tells the power of a machine or of a part of it.

    Attributes:
        source: The sensor and what it includes, such as ``INA3221 VDD_IN``.
        watts: Power now; None where the sensor counts energy.
        joules: Energy since some moment, ever growing; None where the sensor tells power.
    """

    source: str
    watts: Reading | None = None
    joules: Reading | None = None


class PowerRecord:
    """What a meter told from a moment on.

    Energy that is counted is read at both ends, and what lies between them is exact. Power that is told is integrated
    over time by the trapezoidal rule.

    Args:
        meter: The meter; None where there is none.
        now_ns: The moment, in nanoseconds of a monotonic clock.
    """

    def __init__(self, meter: Meter | None, now_ns: int) -> None:
        self._meter = meter
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None
        self._area = 0.0
        self.read(now_ns)

    def read(self, now_ns: int) -> None:
        """Read the meter.

        Args:
            now_ns: The present moment.
        """
        if self._meter is None:
            return
        # a counter is read at each sample too, because it may come round several times in a long span
        reading = self._meter.joules or self._meter.watts
        number = reading() if reading else None
        if number is None:
            return
        if self._meter.watts and self._last is not None:
            then, before = self._last
            self._area += (before + number) / 2 * (now_ns - then) / 1e9
        self._last = now_ns, number
        self._first = self._first or self._last

    def over(self, seconds: float) -> tuple[float | None, float | None]:
        """Mean watts and joules of the span, each None where the meter told nothing.

        Args:
            seconds: Length of the span. Where the meter could be read in a part of it only, that part stands for all.
        """
        if self._meter is None or self._first is None or self._last is None:
            return None, None
        (began, first), (ended, last) = self._first, self._last
        covered = (ended - began) / 1e9
        if self._meter.joules:
            watts = (last - first) / covered if covered else 0.0
        else:
            watts = self._area / covered if covered else last
        # nothing runs on 0 W: the counter has not moved yet, or a virtual GPU tells zeros
        return (watts, watts * seconds) if watts > 0 else (None, None)
