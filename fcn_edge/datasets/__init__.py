"""Images with labels: folders on disk and rendered street scenes, read one pair at a time."""

from __future__ import annotations

from fcn_edge.datasets.base import LabeledSample, LabeledSplit
from fcn_edge.datasets.folder import Sample, Split
from fcn_edge.datasets.info import DATASET_FILE, DatasetInfo
from fcn_edge.datasets.opening import split_of, splits_of
from fcn_edge.datasets.rendered import RenderedSplit

__all__ = [
    "DATASET_FILE",
    "DatasetInfo",
    "LabeledSample",
    "LabeledSplit",
    "RenderedSplit",
    "Sample",
    "Split",
    "split_of",
    "splits_of",
]
