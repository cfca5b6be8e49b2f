"""Images with labels: folders on disk and rendered street scenes, read one pair at a time."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.datasets.base import LabeledSplit
from fcn_edge.datasets.folder import Split, folder_splits
from fcn_edge.datasets.rendered import RenderedSplit, is_rendered, rendered_splits

__all__ = ["split_of", "splits_of"]


def split_of(data: str | Path) -> LabeledSplit:
    """One split: a directory with ``images/`` and ``labels/``, or an address of rendered scenes.

    Raises:
        DatasetError: There is no such split, or it is damaged.
        UsageError: The address of rendered scenes makes no sense.
    """
    if is_rendered(data):
        return RenderedSplit.from_uri(str(data))
    return Split(data)


def splits_of(root: str | Path) -> dict[str, LabeledSplit]:
    """The splits of a root directory, or the one split itself, by name; ``train`` and ``val`` of rendered scenes.

    Raises:
        DatasetError: There are none, or one is damaged.
        UsageError: The address of rendered scenes makes no sense.
    """
    if is_rendered(root):
        return dict(rendered_splits(str(root)))
    return dict(folder_splits(Path(root)))
