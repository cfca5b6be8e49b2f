"""Which class each color or id of foreign label files becomes.

A mapping file is TOML or JSON: a table ``classes`` (or the whole file) from class name to its sources, in the order of
the class ids. A source is an id (``7``) or a color (``"#804080"`` or ``[128, 64, 128]`` in RGB); a class with several
sources merges them; the name ``void`` takes what is to be ignored::

    name = "street"
    [classes]
    road = [7, 9]
    person = [24, 25]
    void = [0, 255]
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from fcn_edge.artifacts.label_sets import LABEL_SETS, Color, generated_palette
from fcn_edge.artifacts.spec import first_problem
from fcn_edge.datasets.color_files import classes_of_lines, classes_of_list
from fcn_edge.datasets.colors import COLOR_CODES, ID_CODES, VOID_NAME
from fcn_edge.datasets.info import DatasetInfo, read_toml
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.io.outside import read_json
from fcn_edge.text import printable

__all__ = ["LabelMapping", "mapping_of_colors", "mapping_of_file", "packed"]

LARGEST_ID = 65535


@dataclass(frozen=True)
class LabelMapping:
    """Sources and what they become.

    Attributes:
        info: The data set that results.
        kind: Whether the sources are colors or ids.
        targets: Class id or void by source: by the id itself, or by the color as ``packed``.
    """

    info: DatasetInfo
    kind: Literal["colors", "ids"]
    targets: Mapping[int, int]


def packed(color: Sequence[int]) -> int:
    """An RGB color as one number, ``0xRRGGBB``."""
    red, green, blue = color
    return red << 16 | green << 8 | blue


def mapping_of_colors(text: str) -> LabelMapping:
    """The mapping of ``--colors``: the name of a label set, or a file.

    The file is a ``dataset.toml`` with a palette, a mapping file whose sources are colors, Supervisely's ``meta.json``
    or another list of labels with colors, or text with a line a class: ``R G B name`` (CamVid's ``label_colors.txt``),
    ``name:R,G,B`` (CVAT's ``labelmap.txt``), ``name,#rrggbb``, or colors alone.

    Raises:
        UsageError: It is neither a known name nor a file.
        DatasetError: The file is damaged or makes no sense.
    """
    if text in COLOR_CODES:
        return _built_in(text, COLOR_CODES[text], "colors")
    path = _file(text, COLOR_CODES)
    if path.suffix.lower() not in (".toml", ".json"):
        return _mapping(path, {"classes": classes_of_lines(path)}, flat_is_color=True)
    content = _content(path)
    names, palette = content.get("classes"), content.get("palette")
    if isinstance(names, list) and isinstance(palette, list):
        if len(names) != len(palette):
            raise DatasetError(
                f"{path} has {len(names)} classes and {len(palette)} colors; one color per class was expected.",
                "Correct the file.",
            )
        content = {**content, "classes": dict(zip(map(str, names), palette, strict=True)), "palette": {}}
    mapping = _mapping(path, content, flat_is_color=True)
    if mapping.kind != "colors":
        raise DatasetError(f"{path} holds ids; colors were expected.", "Give files of ids with --map.")
    return mapping


def mapping_of_file(text: str) -> LabelMapping:
    """The mapping of ``--map``: the name of a label set with ids of its own, or a mapping file.

    Raises:
        UsageError: It is neither a known name nor a file.
        DatasetError: The file is damaged or makes no sense.
    """
    if text in ID_CODES:
        return _built_in(text, ID_CODES[text], "ids")
    path = _file(text, ID_CODES)
    return _mapping(path, _content(path), flat_is_color=False)


def _file(text: str, names: Mapping[str, Any]) -> Path:
    path = Path(text)
    if not os.path.exists(path) or path.is_dir():  # noqa: PTH110 - of a name that is too long, Path.exists raises
        raise UsageError(
            f"'{printable(text, 80)}' is neither a file nor a known label set.",
            f"Known label sets: {', '.join(names)}.",
        )
    return path


def _content(path: Path) -> dict[str, Any]:
    if path.suffix.lower() != ".json":
        return dict(read_toml(path))
    content = read_json(path, DatasetError, "Correct the file.")
    listed = classes_of_list(content)
    if listed is not None:
        return {"classes": listed}
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not a JSON object from class names to sources.", "Correct the file.")
    return content


def _built_in(name: str, codes: Mapping[str, Any], kind: Literal["colors", "ids"]) -> LabelMapping:
    labels = LABEL_SETS[name]
    info = DatasetInfo(name=name, classes=labels.classes, void=labels.void, palette=labels.palette)
    number = {**{label: index for index, label in enumerate(labels.classes)}, VOID_NAME: labels.void}
    pack = packed if kind == "colors" else int
    targets = {pack(source): number[label] for label, sources in codes.items() for source in sources}
    return LabelMapping(info, kind, targets)


def _mapping(path: Path, content: Mapping[str, Any], *, flat_is_color: bool) -> LabelMapping:
    table = content.get("classes", content)
    if not isinstance(table, dict):
        raise DatasetError(f"{path}: classes is not a table from names to sources.", "Correct the file.")
    settings = content if "classes" in content else {}
    unknown = set(settings) - {"name", "void", "palette", "classes"}
    if unknown:
        raise DatasetError(
            f"{path} has the key '{printable(sorted(unknown)[0], 80)}'; name, void, palette and classes were expected.",
            "Correct the file.",
        )
    sources: dict[str, list[Color | int]] = {}
    for name, value in table.items():
        key = VOID_NAME if name.lower() == VOID_NAME else name
        sources.setdefault(key, []).extend(_sources(path, name, value, flat_is_color))
    names = [name for name in sources if name != VOID_NAME]
    everything = [source for values in sources.values() for source in values]
    of_colors = [source for source in everything if isinstance(source, tuple)]
    if of_colors and len(of_colors) < len(everything):
        raise DatasetError(f"{path} mixes ids and colors.", "Use one kind; label files hold one or the other.")
    info = _info(path, settings, names, sources if of_colors else {})
    targets: dict[int, int] = {}
    for name, values in sources.items():
        target = info.void if name == VOID_NAME else names.index(name)
        for source in values:
            number = packed(source) if isinstance(source, tuple) else source
            if targets.setdefault(number, target) != target:
                raise DatasetError(f"{path} gives the source {_shown(source)} to two classes.", "Correct the file.")
    return LabelMapping(info, "colors" if of_colors else "ids", targets)


def _info(
    path: Path, settings: Mapping[str, Any], names: list[str], sources: Mapping[str, list[Color | int]]
) -> DatasetInfo:
    chosen = settings.get("palette") or {}
    if not isinstance(chosen, dict) or set(chosen) - set(names):
        raise DatasetError(f"{path}: palette is not a table from class names to colors.", "Correct the file.")
    palette = [
        chosen.get(name, sources[name][0] if name in sources else generated)
        for name, generated in zip(names, generated_palette(len(names)), strict=True)
    ]
    try:
        return DatasetInfo.model_validate(
            {
                "name": settings.get("name", path.stem),
                "classes": names,
                "void": settings.get("void", 255),
                "palette": [_color(path, value) for value in palette],
            }
        )
    except ValidationError as error:
        raise DatasetError(f"{path} is not valid: {first_problem(error)}.", "Correct the file.") from error


def _sources(path: Path, name: str, value: Any, flat_is_color: bool) -> list[Color | int]:
    """The sources of one class: a list of ids or of colors."""
    flat = isinstance(value, list | tuple) and len(value) == 3 and all(type(part) is int for part in value)
    parts = value if isinstance(value, list) and not (flat and flat_is_color) else [value]
    if not parts:
        raise DatasetError(f"{path}: the class '{printable(name, 80)}' has no sources.", "Correct the file.")
    return [_source(path, part) for part in parts]


def _source(path: Path, value: Any) -> Color | int:
    if type(value) is not int:
        return _color(path, value)
    if not 0 <= value <= LARGEST_ID:
        raise DatasetError(f"{path}: {value} is no id of 0 to {LARGEST_ID}.", "Correct the file.")
    return value


def _color(path: Path, value: Any) -> Color:
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
    if isinstance(value, list | tuple) and len(value) == 3:
        red, green, blue = value
        if all(type(part) is int and 0 <= part <= 255 for part in value):
            return red, green, blue
    # a date of TOML has a repr of Python's
    text = repr(value) if isinstance(value, str | float | int | list | tuple | dict) else str(value)
    raise DatasetError(
        f'{path}: {printable(text, 80)} is no source; an id, "#rrggbb" or [r, g, b] was expected.',
        "Correct the file.",
    )


def _shown(source: Color | int) -> str:
    return f"RGB {source}" if isinstance(source, tuple) else str(source)
