"""What a network runs on, and the values that a manifest can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DeviceInfo", "ManifestValue"]

ManifestValue = str | int | float | bool | None | list[str]
"""A value that a manifest can hold."""


@dataclass(frozen=True)
class DeviceInfo:
    """What a network runs on.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        name: What it calls itself, such as ``AMD EPYC`` or ``Orin``.
        capability: Instruction-set class of a processor (``avx2``, ``avx512_vnni``, ``dotprod``), compute capability
            of a GPU (``8.7``).
        board: What the device tree calls the board whose own GPU it is, such as ``NVIDIA Jetson AGX Orin Developer
            Kit``: every board with an Orin calls its GPU ``Orin``. Empty for other devices, and where a container
            hides the device tree.
        multiprocessors: How many of a GPU are switched on, which the power mode of a board decides; None where nobody
            counted.
        power_mode: Name of the board's power mode, such as ``MAXN``; empty where the system does not tell.
    """

    kind: Literal["cpu", "cuda"]
    name: str
    capability: str
    board: str = ""
    multiprocessors: int | None = None
    power_mode: str = ""

    @property
    def title(self) -> str:
        """What people call it: the board, else the device's own name."""
        return self.board or self.name

    @property
    def state(self) -> str:
        """What of it is switched on, such as ``16 SM, power mode MAXN``; empty where nobody told."""
        counted = [] if self.multiprocessors is None else [f"{self.multiprocessors} SM"]
        return ", ".join([*counted, f"power mode {self.power_mode}"] if self.power_mode else counted)

    def is_same(self, other: DeviceInfo) -> bool:
        """Whether both are one model, whatever is switched on: by their boards, or their names where one has no board.

        The device tree of a board that was flashed for its faster modes ends in ``Super``.
        """
        if (self.kind, self.capability) != (other.kind, other.capability):
            return False
        if self.board and other.board:
            return self.board.removesuffix(" Super") == other.board.removesuffix(" Super")
        return self.name == other.name

    def differs_in_state(self, other: DeviceInfo) -> bool:
        """Whether another number of multiprocessors or another power mode is known of both."""
        pairs = ((self.multiprocessors, other.multiprocessors), (self.power_mode, other.power_mode))
        return any(one and another and one != another for one, another in pairs)
