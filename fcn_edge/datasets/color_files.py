"""Files of class names and colors as other tools write them: lines of text, and lists of labels in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.label_sets import Color
from fcn_edge.errors import DatasetError
from fcn_edge.io.outside import read_text
from fcn_edge.text import printable

__all__ = ["classes_of_lines", "classes_of_list"]

_HEX = "#[0-9a-fA-F]{6}"
_RGB = r"(?P<r>\d{1,3}) ?, ?(?P<g>\d{1,3}) ?, ?(?P<b>\d{1,3})"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"(?P<name>.*?): ?{_RGB} ?(?::.*)?",  # CVAT's labelmap.txt: names are free text, attributes follow
        rf"(?P<name>.*?)[,:; ] ?(?P<hex>{_HEX})(?:[,:; ].*)?",
        rf"(?P<hex>{_HEX})(?:[,:; ] ?(?P<name>.+))?",
        r"(?P<r>\d{1,3})[ ,]+(?P<g>\d{1,3})[ ,]+(?P<b>\d{1,3})(?:[ ,]+(?P<name>[^ ,].*))?",
        rf"(?P<name>[^,]*[^ ,]) ?, ?{_RGB}\b.*",
        rf"(?P<name>.*[^ ,]) ?[, ] ?{_RGB}",
        rf"(?P<name>[^,]*[^ ,]) {_RGB}\b.*",
    )
)
"""What a line may be, its spaces made single; the first that fits counts. Each takes time by the line's length."""
_COLOR_FIRST = re.compile(rf"{_HEX}(?:[,:; ]|$)")
"""No comment, though it begins like one."""
_NAMES = ("title", "name", "label")


def classes_of_lines(path: Path) -> dict[str, list[Color | str]]:
    """Colors by class of a text with a line a class, in the order of the file.

    ``R G B name`` (CamVid's ``label_colors.txt``), ``name:R,G,B`` (CVAT's ``labelmap.txt``), ``name,R,G,B``,
    ``name,#rrggbb`` or ``#rrggbb name``, with spaces, commas or tabs; names are free text. In a file of colors alone
    the classes are called ``class 0`` and so on.

    Raises:
        DatasetError: It cannot be read as text, or a line is none of these.
    """
    classes: dict[str, list[Color | str]] = {}
    nameless = None
    for number, raw in enumerate(read_text(path, DatasetError, "Check the file.").splitlines(), 1):
        line = " ".join(raw.split())
        found = next((match for form in _FORMS if (match := form.fullmatch(line))), None)
        if not line or (line.startswith("#") and not _COLOR_FIRST.match(line)):
            continue
        if found is None and number == 1 and not re.search(r"\d", line):
            continue  # the header of a table
        name = found["name"] if found else None
        if nameless is None:
            nameless = name is None
        if found is None or nameless != (name is None):
            raise DatasetError(
                f"Line {number} of {path} is '{printable(line, 80)}'; 'R G B name', 'name:R,G,B' or 'name,#rrggbb' "
                "was expected, or colors alone in all lines.",
                "Correct the file.",
            )
        color = found.groupdict().get("hex") or (int(found["r"]), int(found["g"]), int(found["b"]))
        name = f"class {len(classes)}" if name is None else name.strip().strip('"').strip()
        classes.setdefault(name, []).append(color)
    return classes


def classes_of_list(content: object) -> dict[str, Any] | None:
    """Colors by class of a list of labels: Supervisely's ``meta.json``, or labels as CVAT's page shows them.

    Args:
        content: What the JSON file holds.

    Returns:
        None where it is no such list.
    """
    listed = content.get("classes") if isinstance(content, Mapping) else content
    if not isinstance(listed, list) or not listed or not all(isinstance(one, Mapping) for one in listed):
        return None
    classes: dict[str, Any] = {}
    for one in listed:
        name = next((one[key] for key in _NAMES if isinstance(one.get(key), str)), None)
        if name is None or "color" not in one:
            return None
        classes.setdefault(name, []).append(one["color"])
    return classes
