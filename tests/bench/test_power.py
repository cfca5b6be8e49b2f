"""What sensors told in several rounds."""

from __future__ import annotations

from typing import Any

from fcn_edge.bench.measured import Measured
from fcn_edge.bench.power import power_of
from fcn_edge.system.telemetry import Telemetry


def measured(processed: int = 10, **told: Any) -> Measured:
    telemetry = Telemetry(**{"seconds": 2.0, **told}).to_json()
    return Measured("tensorrt", 1, [1], {}, {}, 1.0, 1, telemetry, processed)


def test_energy_and_time_are_summed() -> None:
    power = power_of(
        [
            measured(joules=10.0, watts=5.0, power_source="NVML GPU 0"),
            measured(20, seconds=3.0, joules=30.0, watts=10.0, power_source="NVML GPU 0"),
        ]
    )
    assert (power.watts, power.joules_per_frame) == (8.0, round(40 / 30, 5))
    assert (power.source, power.absent) == ("NVML GPU 0", "")


def test_no_sensor_is_no_power() -> None:
    power = power_of([measured(power_absent="No sensor."), measured(power_absent="No sensor.")])
    assert (power.watts, power.joules_per_frame, power.source, power.absent) == (None, None, "", "No sensor.")
    assert (power.load, power.steal, power.clocks_mhz) == (None, None, {})


def test_a_round_without_power_leaves_none() -> None:
    there = measured(joules=10.0, watts=5.0, power_source="NVML GPU 0")
    assert power_of([there, measured(power_absent="It did not move.")]).absent == "It did not move."


def test_different_sensors_do_not_add_up() -> None:
    rounds = [measured(joules=10.0, watts=5.0, power_source=source) for source in ("RAPL", "NVML GPU 0", "RAPL")]
    power = power_of(rounds)
    assert (power.watts, power.joules_per_frame, power.source) == (None, None, "")
    assert power.absent == "Rounds have it from different sensors: NVML GPU 0, RAPL."


def test_extremes_of_clocks_and_heat() -> None:
    power = power_of(
        [
            measured(
                clocks_mhz={"gpu": (600, 900)}, temperature_c={"cpu": 50}, throttled=("heat",), load=0.5, steal=0.1
            ),
            measured(clocks_mhz={"gpu": (500, 800), "emc": (1, 2)}, temperature_c={"cpu": 61.5}, load=2.5, steal=0.3),
        ]
    )
    assert power.clocks_mhz == {"gpu": (500, 900), "emc": (1, 2)}
    assert power.temperature_c == {"cpu": 61.5}
    assert (power.throttled, power.load, power.steal) == (("heat",), 2.5, 0.2)
