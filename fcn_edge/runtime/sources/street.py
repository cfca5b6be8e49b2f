"""Rendered street scenes with exact labels: ``synthetic://street``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from typing_extensions import override

from fcn_edge.datasets.rendered import RenderedSample, RenderedSplit
from fcn_edge.runtime.sources.base import Connection, EndOfSource, Picture
from fcn_edge.runtime.uri import Uri

__all__ = ["StreetConnection"]


class StreetConnection(Connection):
    """A drive along a rendered street. The same address gives the same frames; a frame's time is that of the drive.

    Args:
        address: Such as ``synthetic://street?seed=3&size=480x640&frames=200&fps=25``. Connecting raises UsageError when
            it is no such address, or one of its values makes no sense.
    """

    def __init__(self, address: Uri) -> None:
        super().__init__(address)
        self._samples: Iterator[RenderedSample] = iter(())

    @override
    def _connect(self, timeout: float | None) -> None:
        query = urlencode(self.address.options)
        drive = RenderedSplit.from_uri(f"{self.address.location}?{query}" if query else self.address.location)
        self.fps, self.size, self.length = drive[0].fps, drive[0].size, len(drive)
        self.classes = drive.info.classes
        self._samples = iter(drive)

    @override
    def _next(self, timeout: float) -> Picture | None:
        sample = next(self._samples, None)
        if sample is None:
            raise EndOfSource
        image, labels = sample.pair()
        return Picture(image, labels=labels, time=sample.frame / sample.fps)
