"""The classes of a model, from a name or from a file that people have."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from fcn_edge.artifacts.label_sets import LABEL_SETS, LabelSet
from fcn_edge.artifacts.spec import first_problem
from fcn_edge.datasets.info import DatasetInfo, read_toml
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.io.lookups import lookup_errors
from fcn_edge.io.outside import read_json, read_text

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
    with lookup_errors(UsageError):
        there = path.is_file()
    if not there:
        raise UsageError(f"{text!r} is neither a label set nor a file.", f"Known label sets: {', '.join(LABEL_SETS)}.")
    try:
        info = DatasetInfo.model_validate(_content(path))
    except ValidationError as error:
        raise DatasetError(f"{path} is not valid: {first_problem(error)}.", "Correct the file.") from error
    return LabelSet(info.name, info.classes, info.colors, info.void)


def _content(path: Path) -> object:
    fix = "Give a TOML, JSON or text file."
    if path.suffix.lower() == ".toml":
        return read_toml(path)
    if path.suffix.lower() == ".json":
        return read_json(path, DatasetError, fix)
    lines = read_text(path, DatasetError, fix).splitlines()
    return {"name": path.stem, "classes": [line.strip() for line in lines if line.strip()]}
