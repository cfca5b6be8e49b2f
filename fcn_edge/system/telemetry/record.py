"""What was read of a machine during a span of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Telemetry"]


@dataclass(frozen=True)
class Telemetry:
    """A machine during a span. What it has no sensor for is None or empty, never zero.

    Attributes:
        seconds: Length of the span.
        watts: Mean power; None where nothing tells it.
        joules: Energy over the span; None where nothing tells it.
        power_source: The sensor of both, which says what they include, such as ``INA3221 VDD_IN``, ``NVML GPU 0`` or
            ``RAPL package-0``; empty where there is none.
        power_absent: Why there is no power, in one sentence; empty where there is.
        clocks_mhz: Lowest and highest clock of ``cpu`` (its fastest core at each moment), ``gpu`` and ``emc`` (the
            memory of a Jetson), as far as each is told.
        clock_limits_mhz: The clock that each of them may reach in the present power mode, as far as it is told.
        temperature_c: Highest temperature by the kernel's name of the zone, in degrees Celsius.
        throttled: What lowered clocks during the span, in words.
        gpu_load: Mean share of time that the GPU was busy, from 0 to 1; None where nothing tells it.
        load: Mean number of processes that ran or waited in the minute before the span; None where nothing tells it.
        steal: Share of the processor's time that the hypervisor gave to others during the span, from 0 to 1; None
            where nothing tells it.
    """

    seconds: float
    watts: float | None = None
    joules: float | None = None
    power_source: str = ""
    power_absent: str = ""
    clocks_mhz: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    clock_limits_mhz: Mapping[str, float] = field(default_factory=dict)
    temperature_c: Mapping[str, float] = field(default_factory=dict)
    throttled: tuple[str, ...] = ()
    gpu_load: float | None = None
    load: float | None = None
    steal: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as plain values: mappings are dicts, pairs are lists."""
        fields = asdict(self)
        fields["clocks_mhz"] = {name: list(pair) for name, pair in self.clocks_mhz.items()}
        fields["throttled"] = list(self.throttled)
        return fields
