"""``dataset.toml``: name, classes, void and palette of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fcn_edge.artifacts.label_sets import generated_palette
from fcn_edge.artifacts.spec import Byte, Color, first_problem
from fcn_edge.errors import DatasetError
from fcn_edge.io import outside

__all__ = ["DATASET_FILE", "DatasetInfo", "read_info", "read_toml", "toml_of_info"]

DATASET_FILE = "dataset.toml"

FEWEST, MOST = 2, 255
"""Classes that a data set has."""


class DatasetInfo(BaseModel):
    """Content of ``dataset.toml``.

    Attributes:
        name: What the data set is called.
        classes: Class names by id.
        void: Label value to ignore.
        palette: One RGB color per class; generated when left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    classes: tuple[Annotated[str, Field(min_length=1)], ...]
    void: Byte = 255
    palette: tuple[Color, ...] = ()

    @field_validator("classes")
    @classmethod
    def _as_many_as_can_be_told_apart(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(classes) < FEWEST:
            what = f"there is one class, {classes[0]!r}" if classes else "there is no class"
            raise ValueError(
                f"{what}; two or more were expected: where one thing is looked for, everything else is a class too, "
                "such as 'background', and no void"
            )
        if len(classes) > MOST:
            raise ValueError(f"there are {len(classes)} classes; labels of 8 bits hold {MOST} beside void")
        return classes

    @model_validator(mode="after")
    def _parts_fit(self) -> DatasetInfo:
        duplicates = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if duplicates:
            raise ValueError(f"class names must differ, and {duplicates[0]!r} stands there twice")
        if self.void < len(self.classes):
            raise ValueError(f"void ({self.void}) must lie outside the class ids 0..{len(self.classes) - 1}")
        if self.palette and len(self.palette) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes need {len(self.classes)} colors, not {len(self.palette)}")
        return self

    @property
    def colors(self) -> tuple[Color, ...]:
        """The palette, generated where the file brings none."""
        return self.palette or generated_palette(len(self.classes))


def read_info(split: Path) -> DatasetInfo:
    """The ``dataset.toml`` in a split's directory or in its parent.

    Raises:
        DatasetError: There is none, or it is not valid.
    """
    for directory in (split, split.absolute().parent):
        path = directory / DATASET_FILE
        if path.is_file():
            try:
                return DatasetInfo.model_validate(read_toml(path))
            except ValidationError as error:
                raise DatasetError(f"{path} is not valid: {first_problem(error)}.", "Correct the file.") from error
    raise DatasetError(
        f"There is no {DATASET_FILE} in {split} or in its parent.",
        'Write one with the lines: name = "mine", classes = ["road", "sky"], void = 255.',
    )


def read_toml(path: Path) -> dict[str, object]:
    """The tables of a TOML file.

    Raises:
        DatasetError: It is missing, unreadable or not TOML.
    """
    return outside.read_toml(path, DatasetError, "Correct the file.")


def toml_of_info(info: DatasetInfo) -> str:
    """The text of a ``dataset.toml``; ``read_info`` reads the same object back."""
    # JSON's strings, numbers and arrays are TOML's too, but for the control character that JSON leaves bare
    lines = {
        "name": info.name,
        "classes": list(info.classes),
        "void": info.void,
        "palette": [list(color) for color in info.colors],
    }
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items()).replace(
        "\x7f", "\\u007f"
    )
