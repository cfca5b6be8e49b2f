"""What tells one split from another without reading its images."""

from __future__ import annotations

import hashlib

from fcn_edge.datasets.base import LabeledSplit
from fcn_edge.datasets.folder import Sample
from fcn_edge.errors import DatasetError

__all__ = ["fingerprint_of"]


def fingerprint_of(split: LabeledSplit) -> str:
    """A hash, in 12 hexadecimal digits, of a split's classes and of the names and sizes of its files.

    Of rendered scenes the addresses count. A file that is changed and keeps its length goes unseen.

    Raises:
        DatasetError: A file is missing.
    """
    digest = hashlib.sha256(repr((split.info.classes, split.info.void)).encode())
    for sample in split:
        digest.update(f"\n{_line(sample)}".encode())
    return digest.hexdigest()[:12]


def _line(sample: object) -> str:
    if not isinstance(sample, Sample):
        return str(getattr(sample, "address", sample))
    try:
        return f"{sample.name} {sample.image_path.stat().st_size} {sample.label_path.stat().st_size}"
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}.", "Check the data set.") from error
