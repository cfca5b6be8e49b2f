"""Rendered street scenes with exact labels: ``synthetic://street``."""

from __future__ import annotations

from typing_extensions import override

from fcn_edge.datasets.rendered import RenderedSplit
from fcn_edge.runtime.sources.base import Picture, Source

__all__ = ["StreetSource"]


class StreetSource(Source):
    """A drive along a rendered street. The same address gives the same frames.

    Args:
        uri: Such as ``synthetic://street?seed=3&size=480x640&frames=200&fps=25``.

    Raises:
        UsageError: It is no such address, or one of its values makes no sense.
    """

    def __init__(self, uri: str) -> None:
        drive = RenderedSplit.from_uri(uri)
        super().__init__(uri, fps=drive[0].fps, size=drive[0].size, length=len(drive))
        self.classes = drive.info.classes
        self._samples = iter(drive)

    @override
    def read(self) -> Picture | None:
        sample = next(self._samples, None)
        if sample is None:
            return None
        image, labels = sample.pair()
        return Picture(image, labels=labels)
