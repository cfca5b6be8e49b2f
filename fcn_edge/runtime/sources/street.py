"""Rendered street scenes with exact labels: ``synthetic://street``."""

from __future__ import annotations

from typing_extensions import override

from fcn_edge.runtime.sources.base import Picture, Source
from fcn_edge.spec import Size
from fcn_edge.street import Street

__all__ = ["StreetSource"]


class StreetSource(Source):
    """A drive along a rendered street. The same options give the same frames.

    Args:
        uri: What the user called it.
        seed: Chooses the street, its light and its traffic.
        size: ``(height, width)`` of the frames.
        frames: How many there are.
        fps: Frames per second of driving.

    Raises:
        ValueError: A value is out of the range of ``Street``.
    """

    def __init__(
        self, uri: str, *, seed: int = 0, size: Size = (360, 480), frames: int = 250, fps: float = 25.0
    ) -> None:
        street = Street(seed=seed, size=size, frames=frames, fps=fps)
        self._drive = iter(street)
        super().__init__(uri, fps=fps, size=size, length=frames)
        self.classes = street.classes

    @override
    def read(self) -> Picture | None:
        image, labels = next(self._drive, (None, None))
        return None if image is None else Picture(image, labels=labels)
