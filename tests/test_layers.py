"""Who may import whom: the floors of the package, and which floors do without the heavy libraries.

All imports count, also those inside functions and those for type checkers: an import that is put off still couples.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import fcn_edge

PACKAGE = "fcn_edge"
ROOT = Path(fcn_edge.__file__).parent

FLOORS = [
    "calibrationtable closing errors files int8origin labels measured metrics opencv sealed spec version wire"
    " checkpointfile graphfile imagefile modelfile ops io artifacts system",
    "backends",
    "datasets engine enginewriter inspection models staleness street testing",
    "runtime",
    "nets training",
    "convert export quantization",
    "measure evaluation",
    "build builder",
    "bench doctor fcn_edge",
    "cli demo __main__",
]
"""Each floor imports from itself and from those above it in this list; ``fcn_edge`` is the package's own namespace."""

FLOOR_OF = {unit: number for number, units in enumerate(FLOORS) for unit in units.split()}
TRAINING_LIBRARIES = {"torch", "onnx", "onnxscript", "safetensors"}
TRAINING_UNITS = {"nets", "training", "convert", "export", "quantization", "cli"}


@dataclass(frozen=True)
class Import:
    """One import statement's target.

    Attributes:
        importer: Full name of the importing module.
        target: Full name of the imported module.
        eager: It happens when the importer is imported.
        where: File and line.
    """

    importer: str
    target: str
    eager: bool
    where: str


def unit_of(module: str) -> str:
    """The package or module below ``fcn_edge`` that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def module_names() -> dict[str, Path]:
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)
        names[".".join(parts).removesuffix(".__init__")] = path
    return names


MODULES = module_names()


def imports_of(module: str, path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    eager = set(eager_statements(tree.body))
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; absolute imports are the rule here"
            source = node.module or ""
            # `from fcn_edge import spec` names a module, `from fcn_edge.artifacts.spec import ModelSpec` does not
            targets = [
                f"{source}.{alias.name}" if f"{source}.{alias.name}" in MODULES else source for alias in node.names
            ]
        for target in targets:
            yield Import(module, target, node in eager, f"{path.relative_to(ROOT.parent)}:{node.lineno}")


def eager_statements(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, those for type checkers left out."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            continue
        yield statement
        for field in ("body", "orelse", "finalbody"):
            yield from eager_statements(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from eager_statements(handler.body)


IMPORTS = [found for module, path in MODULES.items() for found in imports_of(module, path)]
OWN = [found for found in IMPORTS if found.target.split(".")[0] == PACKAGE]


def test_imports_are_found() -> None:
    """Without this, a mistake in the search would let every other test pass."""
    pairs = {(found.importer, found.target): found.eager for found in IMPORTS}
    assert pairs["fcn_edge.export.onnx", "torch"] is True
    assert pairs["fcn_edge.export.onnx", "fcn_edge.nets.fcn"] is True
    assert pairs["fcn_edge.export.onnx", "onnxscript"] is False
    assert pairs["fcn_edge.io.opencv", "cv2"] is False
    assert len(OWN) > 100


def test_every_module_has_a_floor() -> None:
    homeless = sorted({unit_of(module) for module in MODULES} - set(FLOOR_OF))
    assert not homeless, f"{homeless} stand on no floor: enter them in FLOORS, as low as their imports allow"


def test_imports_go_only_downwards() -> None:
    upward = [
        f"{found.where}: {found.importer} imports {found.target}"
        for found in OWN
        if FLOOR_OF[unit_of(found.importer)] < FLOOR_OF[unit_of(found.target)]
    ]
    assert not upward, "\n".join(upward)


def test_packages_make_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for found in OWN:
        importer, target = unit_of(found.importer), unit_of(found.target)
        if importer != target:
            graph.setdefault(importer, set()).add(target)
    graphlib.TopologicalSorter(graph).prepare()


def test_modules_make_no_circle_when_they_are_imported() -> None:
    graph: dict[str, set[str]] = {}
    for found in OWN:
        if found.eager:
            graph.setdefault(found.importer, set()).add(found.target)
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("library", sorted(TRAINING_LIBRARIES))
def test_the_edge_needs_no_training_library(library: str) -> None:
    wrong = [
        found.where
        for found in IMPORTS
        if found.target.split(".")[0] == library and unit_of(found.importer) not in TRAINING_UNITS
    ]
    assert not wrong


def test_backends_import_their_library_only_when_they_run() -> None:
    allowed = {*sys.stdlib_module_names, PACKAGE, "numpy", "typing_extensions"}
    wrong = [
        found.where
        for found in IMPORTS
        if unit_of(found.importer) == "backends" and found.eager and found.target.split(".")[0] not in allowed
    ]
    assert not wrong


def test_verbs_import_heavy_modules_inside_the_command() -> None:
    light = {*sys.stdlib_module_names, "click"}
    wrong = [
        f"{found.where}: {found.target}"
        for found in IMPORTS
        if unit_of(found.importer) == "cli"
        and found.importer != "fcn_edge.cli.demo"
        and found.eager
        and found.target.split(".")[0] not in light
        and not found.target.startswith(
            ("fcn_edge.cli", "fcn_edge.errors", "fcn_edge.version", "fcn_edge.training.options")
        )
    ]
    assert not wrong


def test_opencv_is_imported_in_one_place() -> None:
    """``fcn_edge.io.opencv`` says what to do where it cannot be loaded; the renderer draws with it and is exempt."""
    importers = {found.importer for found in IMPORTS if found.target.split(".")[0] == "cv2"}
    assert {importer for importer in importers if unit_of(importer) != "street"} == {"fcn_edge.io.opencv"}
