"""Images with labels: folders on disk and rendered street scenes, read one pair at a time."""

from __future__ import annotations

from fcn_edge.datasets.folder import Sample, Split, splits_of

__all__ = ["Sample", "Split", "splits_of"]
