"""What a backend can do on a machine."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.artifacts.device import DeviceInfo

__all__ = ["Probe"]


@dataclass(frozen=True)
class Probe:
    """What a backend can do on this machine.

    Attributes:
        version: Version of its library; empty when that is not installed.
        devices: What it can run on here, best first; empty when it cannot run.
        targets: What it can build for here although it cannot run it, best first.
        providers: The library's own names of what it runs on.
        problem: One sentence when it cannot run; empty when it can.
        fix: What fixes that.
    """

    version: str
    devices: tuple[DeviceInfo, ...] = ()
    targets: tuple[DeviceInfo, ...] = ()
    providers: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""

    @property
    def available(self) -> bool:
        """The backend can run here."""
        return not self.problem

    @property
    def buildable(self) -> tuple[DeviceInfo, ...]:
        """What the backend can build for here, best first."""
        return self.devices + self.targets
