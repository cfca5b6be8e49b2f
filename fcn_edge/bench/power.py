"""What the machine's sensors told in all rounds of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

from fcn_edge.bench.measured import Measured
from fcn_edge.bench.result import Power

__all__ = ["power_of"]


def power_of(rounds: Sequence[Measured]) -> Power:
    """One record of all rounds: energy and time summed, the extremes of clocks and heat.

    Power is told only where every round has it, from one sensor.
    """
    told = [one.telemetry for one in rounds]
    sources = {one["power_source"] for one in told}
    watts = joules = None
    if all(one["joules"] for one in told) and len(sources) == 1:
        energy = sum(one["joules"] for one in told)
        watts = round(energy / sum(one["seconds"] for one in told), 3)
        joules = round(energy / sum(one.processed for one in rounds), 5)
    return Power(
        watts=watts,
        joules_per_frame=joules,
        source="" if watts is None else next(iter(sources)),
        absent="" if watts is not None else _why_not(told, sources),
        clocks_mhz={
            name: (min(low for low, _ in pairs), max(high for _, high in pairs))
            for name, pairs in _by_name(told, "clocks_mhz").items()
        },
        clock_limits_mhz={name: max(values) for name, values in _by_name(told, "clock_limits_mhz").items()},
        temperature_c={name: max(values) for name, values in _by_name(told, "temperature_c").items()},
        throttled=tuple(dict.fromkeys(word for one in told for word in one["throttled"])),
        gpu_load=_over(mean, told, "gpu_load"),
        load=_over(max, told, "load"),
        steal=_over(mean, told, "steal"),
    )


def _why_not(told: Sequence[dict[str, Any]], sources: set[str]) -> str:
    """Why there is no power of all rounds, in a sentence."""
    missing = next((one["power_absent"] for one in told if one["power_absent"]), "")
    if missing or len(sources) < 2:
        return missing
    return f"Rounds have it from different sensors: {', '.join(sorted(sources))}."


def _by_name(told: Sequence[dict[str, Any]], key: str) -> dict[str, list[Any]]:
    """Every round's value by the name of its sensor."""
    names = dict.fromkeys(name for one in told for name in one[key])
    return {name: [one[key][name] for one in told if name in one[key]] for name in names}


def _over(summary: Callable[[list[float]], float], told: Sequence[dict[str, Any]], key: str) -> float | None:
    values = [one[key] for one in told if one[key] is not None]
    return round(summary(values), 4) if values else None
