"""Texts that people write: data sets, mappings, colors, class names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..damages import TEXT
from ..parser import Damage, Parser
from ..structures import json_bytes, json_damaged, toml_bytes, toml_of

__all__ = ["PARSERS"]

DATASET = {"name": "mine", "classes": ["road", "sky", "car"], "void": 255, "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}
MAPPING = {
    "name": "street",
    "void": 255,
    "classes": {"road": [7, 9], "person": [24, 25], "void": [0, 255]},
    "palette": {"road": [1, 2, 3]},
}
COLORS = {"name": "street", "classes": {"road": "#804080", "sky": [[70, 130, 180], "#000000"], "void": [0, 0, 1]}}
CAMVID = b"64 128 64\tAnimal\n192 0 128\tArchway\n0 128 192\tBicyclist\n# a comment\n0 0 0\tVoid\n"
CVAT = b"# label:color_rgb:parts:actions\nroad:128,64,128::\nsky:70,130,180::\nbackground:0,0,0::\n"
TABLE = b"name,r,g,b\nroad,128,64,128\nsky,70,130,180\n"
NAMES = b"\xef\xbb\xbfroad\nsky\n\ncar\n"


def dataset(path: Path, _: Path) -> object:
    from fcn_edge.datasets.info import read_info, toml_of_info

    info = read_info(path.parent)
    assert toml_of_info(info)
    return info.colors


def classes(path: Path, _: Path) -> object:
    from fcn_edge.datasets.class_names import labels_from_text

    return labels_from_text(str(path))


def mapping(path: Path, _: Path) -> object:
    from fcn_edge.datasets.mapping import mapping_of_file

    return mapping_of_file(str(path))


def colors(path: Path, _: Path) -> object:
    from fcn_edge.datasets.mapping import mapping_of_colors

    return mapping_of_colors(str(path))


def parsers_of_kind(
    name: str, stem: str, trees: Sequence[dict[str, Any]], texts: Sequence[bytes], read: Callable[[Path, Path], object]
) -> tuple[Parser, ...]:
    """One parser for each form that a reader takes: TOML, JSON and plain text."""
    made = [
        (".toml", [toml_bytes(tree) for tree in trees], (*(toml_of(trees),) * 5, *TEXT)),
        (".json", [json_bytes(tree) for tree in trees], (*(json_damaged,) * 5, *TEXT)),
        (".txt", list(texts), TEXT),
    ]

    def parser(suffix: str, wholes: list[bytes], damages: Sequence[Damage]) -> Parser:
        return Parser(f"{name}{suffix}", f"{stem}{suffix}", lambda _: wholes, read, damages)

    return tuple(parser(*each) for each in made if each[1])


def recipe(path: Path, _: Path) -> object:
    from fcn_edge.builder import BuildRequest
    from fcn_edge.builder.recipe import read_recipe

    read = read_recipe(path)
    return read, BuildRequest(**read.settings())


RECIPE: dict[str, Any] = {
    "description": "mine",
    "tested_on": "nothing",
    "notes": ["one", "two"],
    "backend": "openvino",
    "precision": "int8",
    "size": "256x320",
    "batch": 2,
    "threads": 4,
    "max_drop": 0.02,
    "max_class_drop": 0.05,
}

DATASETS = (*(toml_of([DATASET]),) * 5, *TEXT)
PARSERS = (
    Parser("text.dataset", "dataset.toml", lambda _: [toml_bytes(DATASET)], dataset, DATASETS, 1.5),
    Parser("text.recipe", "mine.toml", lambda _: [toml_bytes(RECIPE)], recipe, (*(toml_of([RECIPE]),) * 5, *TEXT)),
    *parsers_of_kind("text.classes", "classes", [DATASET], [NAMES], classes),
    *parsers_of_kind("text.mapping", "mapping", [MAPPING], [], mapping),
    *parsers_of_kind("text.colors", "colors", [COLORS, {**DATASET}], [CAMVID, CVAT, TABLE], colors),
)
