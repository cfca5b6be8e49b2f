"""What a machine's sensors tell while it works: power, clocks, temperatures, throttling and load."""

from fcn_edge.system.telemetry.record import Telemetry
from fcn_edge.system.telemetry.sampler import Sampler
from fcn_edge.system.telemetry.sensors import Sensors, read_sensors

__all__ = ["Sampler", "Sensors", "Telemetry", "read_sensors"]
