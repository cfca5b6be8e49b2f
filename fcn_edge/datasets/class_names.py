"""The classes of a model, from a name or from a file that people have."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from fcn_edge.artifacts.label_sets import LABEL_SETS, LabelSet
from fcn_edge.artifacts.spec import first_problem
from fcn_edge.datasets.info import DatasetInfo, read_toml
from fcn_edge.errors import DatasetError, UsageError

__all__ = ["labels_from_text"]


def labels_from_text(text: str) -> LabelSet:
    """The label set that a text names.

    Args:
        text: A key of ``LABEL_SETS``; or a file: a ``dataset.toml``, the same as JSON, or a text file with one class
            name a line. Files without a palette get a generated one.

    Raises:
        UsageError: It is neither a known name nor a file.
        DatasetError: The file is unreadable or makes no sense.
    """
    if text in LABEL_SETS:
        return LABEL_SETS[text]
    path = Path(text)
    if not path.is_file():
        raise UsageError(f"{text!r} is neither a label set nor a file.", f"Known label sets: {', '.join(LABEL_SETS)}.")
    try:
        info = DatasetInfo.model_validate(_content(path))
    except ValidationError as error:
        raise DatasetError(f"{path} is not valid: {first_problem(error)}.", "Correct the file.") from error
    return LabelSet(info.name, info.classes, info.colors, info.void)


def _content(path: Path) -> object:
    if path.suffix.lower() == ".toml":
        return read_toml(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", "Give a TOML, JSON or text file.") from error
    return {"name": path.stem, "classes": [line.strip() for line in text.splitlines() if line.strip()]}
