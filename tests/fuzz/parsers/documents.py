"""Sealed documents: calibration tables, lists of calibration images, manifests of shipped models, specs."""

from __future__ import annotations

from pathlib import Path

from ..damages import BYTES, TEXT
from ..parser import Parser
from ..structures import json_damaged, sealed_damaged
from .models import SAMPLES

__all__ = ["PARSERS", "SEALED"]

SEALED = (*(sealed_damaged,) * 12, *BYTES, *TEXT)


def table(path: Path, _: Path) -> object:
    from fcn_edge.artifacts.calibration_table import read_table
    from fcn_edge.quantization.typed_graph import clipped_ranges

    read = read_table(path)
    assert len(read.digest) == 64
    for method in ("minmax", "percentile", "entropy", "mse"):
        clipped_ranges(read, method)
    return read


def image_lists(folder: Path) -> list[bytes]:
    """A list of images that lie beside it, and one of rendered images."""
    from fcn_edge.datasets.calibration import calibration_set, write_manifest

    from ...levels_network import write_levels_network, write_levels_split

    levels = write_levels_network(folder / "levels.onnx")
    split = write_levels_split(folder / "train", levels, 3)
    for number, source in enumerate((split, "synthetic://street?size=64x96&frames=2")):
        write_manifest(folder / f"{number}.json", calibration_set(source, levels.spec.classes, 2))
    return [(folder / f"{number}.json").read_bytes() for number in (0, 1)]


def image_list(path: Path, beside: Path) -> object:
    from fcn_edge.datasets.calibration.manifest import read_manifest

    images = read_manifest(path, beside / "train")
    return [image.read() for image in images.images]


def zoo_manifest(path: Path, _: Path) -> object:
    """The manifest of a shipped model, as ``inspect`` and ``bench`` read it."""
    import shutil

    from fcn_edge.artifacts.models import MANIFEST_FILE, MODEL_FILE, Model, manifest_of, resolved_model

    shutil.copyfile(SAMPLES / MODEL_FILE, path.with_name(MODEL_FILE))
    if path.name != MANIFEST_FILE:
        shutil.copyfile(path, path.with_name(MANIFEST_FILE))
    found = resolved_model(path.with_name(MODEL_FILE))
    return manifest_of(Model("onnx", found.path, found.spec, "shipped", found.header))


def spec(path: Path, _: Path) -> object:
    from fcn_edge.artifacts.spec import ModelSpec

    read = ModelSpec.from_json(path.read_bytes().decode("utf-8", "replace"))
    assert ModelSpec.from_json(read.to_json()) == read
    return read


def samples(name: str) -> list[bytes]:
    """As this version writes it, and as the first one did."""
    return [(SAMPLES.with_name(schema) / name).read_bytes() for schema in ("schema2", "schema1")]


SPEC = (*(json_damaged,) * 6, *TEXT)
PARSERS = (
    Parser("document.table", "table.json", lambda _: samples("table.json"), table, SEALED, 2, ("onnx",)),
    Parser("document.images", "images.json", image_lists, image_list, SEALED, 1, ("onnx",)),
    Parser("document.shipped", "manifest.json", lambda _: samples("zoo-manifest.json")[:1], zoo_manifest, SEALED, 0.5),
    Parser("document.spec", "spec.json", lambda _: samples("spec.json"), spec, SPEC),
)
