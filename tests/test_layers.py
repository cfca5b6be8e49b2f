"""Who may import whom: one table of rooms, held exactly; and which rooms do without the heavy libraries.

All imports count, also those inside functions and those for type checkers: an import that is put off still couples.
``python -m tests.test_layers`` draws the table anew in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import graphlib
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import fcn_edge

PACKAGE = "fcn_edge"
ROOT = Path(fcn_edge.__file__).parent

MAY_IMPORT = {
    "text": "",
    "errors": "text",
    "version": "",
    "street": "",
    "metrics": "",
    "io": "errors text",
    "system": "errors io.opencv",
    "artifacts": "errors io text version",
    "ops": "artifacts errors io",
    "datasets": "artifacts errors io street text",
    "nets": "artifacts errors io",
    "backends": "artifacts errors io ops text",
    "backends.cuda": "artifacts backends errors io ops system",
    "backends.onnxruntime": "artifacts backends backends.cuda errors io system",
    "backends.openvino": "artifacts backends errors io system",
    "backends.tensorrt": "artifacts backends backends.cuda errors io text",
    "testing": "artifacts backends backends.cuda errors ops",
    "training": "artifacts backends backends.onnxruntime datasets errors io metrics nets ops text",
    "export": "artifacts datasets errors io nets ops text version",
    "quantization": "artifacts backends backends.onnxruntime datasets errors io metrics ops text version",
    "runtime": "artifacts backends backends.cuda datasets.rendered errors io metrics ops system.cuda_driver"
    " system.gstreamer system.nvidia system.video_encoder text",
    "evaluation": "artifacts backends.base datasets errors metrics runtime.events runtime.result runtime.segmenter"
    " text",
    "builder": "artifacts backends backends.onnxruntime datasets errors evaluation io quantization system text version",
    "doctor": "artifacts.models backends.registry errors runtime.sinks.encoders.choice runtime.sinks.encoders.elements"
    " system text version",
    "fcn_edge": "builder errors evaluation export quantization runtime version",
    "bench": "artifacts backends backends.onnxruntime builder datasets errors evaluation io metrics ops quantization"
    " runtime system text",
    "serve": "artifacts errors io metrics runtime text version",
    "cli": "artifacts backends backends.tensorrt bench builder datasets doctor errors evaluation export io quantization"
    " runtime serve system text training version",
    "__main__": "cli",
}
"""Room -> the rooms that it imports, no more and no fewer; ``room.module`` is that module alone.

A room is a folder of the package or a module at its top; below ``backends`` each library's folder is one. ``fcn_edge``
is the package's own namespace. A new arrow is a change of one line here, which somebody reads.
"""

BEGIN, END = "<!-- rooms: begin (python -m tests.test_layers) -->", "<!-- rooms: end -->"

LIGHT = ("cli", "errors", "io.json_text", "text", "version")
TORCH = {"nets", "training", "export", "cli"}
ONNX = TORCH | {"quantization", "builder"}


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


def module_names() -> dict[str, Path]:
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)
        names[".".join(parts).removesuffix(".__init__")] = path
    return names


MODULES = module_names()


def room_of(module: str) -> str:
    """The room that a module of the package lies in."""
    _, *inner = module.split(".")
    if not inner:
        return PACKAGE
    return ".".join(inner[:2]) if ".".join(inner[:2]) in MAY_IMPORT else inner[0]


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
            # `from fcn_edge.io import files` names a module, `from fcn_edge.io.files import replacing` does not
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


@cache
def imports() -> list[Import]:
    return [found for module, path in MODULES.items() for found in imports_of(module, path)]


@cache
def own() -> list[Import]:
    return [found for found in imports() if found.target.split(".")[0] == PACKAGE]


@cache
def between() -> list[Import]:
    return [found for found in own() if room_of(found.importer) != room_of(found.target)]


def allowed_by(entry: str, target: str) -> bool:
    """Whether an entry of the table covers a module."""
    return entry == room_of(target) or target == f"{PACKAGE}.{entry}"


def test_imports_are_found() -> None:
    """Without this, a mistake in the search would let every other test pass."""
    pairs = {(found.importer, found.target): found.eager for found in imports()}
    assert pairs["fcn_edge.export.torch_network", "torch"] is True
    assert pairs["fcn_edge.export.torch_network", "fcn_edge.nets.fcn"] is True
    assert pairs["fcn_edge.export.importers.registry", "fcn_edge.export.importers.checkpoints"] is False
    assert pairs["fcn_edge.io.opencv", "cv2"] is False
    assert len(own()) > 100


def test_every_module_lies_in_a_room_of_the_table() -> None:
    assert {room_of(module) for module in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_the_table_says(room: str) -> None:
    entries = MAY_IMPORT[room].split()
    found = [one for one in between() if room_of(one.importer) == room]
    new = [
        f"{one.where}: {one.importer} imports {one.target}"
        for one in found
        if not any(allowed_by(entry, one.target) for entry in entries)
    ]
    assert not new, "\n".join(["The table does not have:", *new])
    unused = [entry for entry in entries if not any(allowed_by(entry, one.target) for one in found)]
    assert not unused, f"{room} imports nothing of {', '.join(unused)}: take it out of the table"


def test_rooms_make_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for found in between():
        graph.setdefault(room_of(found.importer), set()).add(room_of(found.target))
    graphlib.TopologicalSorter(graph).prepare()


def test_modules_make_no_circle_when_they_are_imported() -> None:
    graph: dict[str, set[str]] = {}
    for found in own():
        if found.eager:
            graph.setdefault(found.importer, set()).add(found.target)
    graphlib.TopologicalSorter(graph).prepare()


def test_no_library_of_a_backend_imports_another() -> None:
    libraries = {"backends.onnxruntime", "backends.openvino", "backends.tensorrt"}
    wrong = [
        found.where
        for found in between()
        if room_of(found.target) in libraries and room_of(found.importer) in libraries | {"backends.cuda"}
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("library", "rooms"), [("torch", TORCH), ("safetensors", TORCH), ("onnx", ONNX), ("onnxscript", TORCH)]
)
def test_the_edge_needs_no_training_library(library: str, rooms: set[str]) -> None:
    wrong = [
        found.where
        for found in imports()
        if found.target.split(".")[0] == library and room_of(found.importer) not in rooms
    ]
    assert not wrong


def test_backends_import_their_library_only_when_they_run() -> None:
    allowed = {*sys.stdlib_module_names, PACKAGE, "numpy", "typing_extensions"}
    wrong = [
        found.where
        for found in imports()
        if room_of(found.importer).startswith("backends") and found.eager and found.target.split(".")[0] not in allowed
    ]
    assert not wrong


def test_verbs_import_heavy_modules_inside_the_command() -> None:
    light = {*sys.stdlib_module_names, "click"}
    wrong = [
        f"{found.where}: {found.target}"
        for found in imports()
        if room_of(found.importer) == "cli"
        and found.importer != "fcn_edge.cli.demo"  # `make demo` does one thing, with everything
        and found.eager
        and found.target.split(".")[0] not in light
        and not found.target.startswith(tuple(f"{PACKAGE}.{name}" for name in LIGHT))
    ]
    assert not wrong


def test_opencv_is_imported_in_one_place() -> None:
    """``fcn_edge.io.opencv`` says what to do where it cannot be loaded; the renderer draws with it and is exempt."""
    importers = {found.importer for found in imports() if found.target.split(".")[0] == "cv2"}
    assert {importer for importer in importers if room_of(importer) != "street"} == {"fcn_edge.io.opencv"}


def test_the_top_of_the_package_holds_no_loose_modules() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        "errors.py",
        "text.py",
        "version.py",
    }


def test_modules_are_small() -> None:
    lengths = sorted(path.read_text(encoding="utf-8").count("\n") for path in MODULES.values())
    assert lengths[-1] <= 400
    assert lengths[len(lengths) // 2] <= 110


def test_contributing_shows_the_table() -> None:
    assert picture() in (ROOT.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def picture() -> str:
    """The rooms, each above those that it imports, with what it says of itself."""
    graph = {
        room: {
            other for other in MAY_IMPORT if any(entry == other or entry.startswith(f"{other}.") for entry in entries)
        }
        for room, entries in ((room, line.split()) for room, line in MAY_IMPORT.items())
    }
    level: dict[str, int] = {}
    for room in graphlib.TopologicalSorter(graph).static_order():
        level[room] = 1 + max((level[other] for other in graph[room] - {room}), default=-1)
    lines = []
    for room in sorted(MAY_IMPORT, key=lambda room: (-level[room], room)):
        module = PACKAGE if room == PACKAGE else f"{PACKAGE}.{room}"
        says = ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))) or ""
        lines.append(f"    {level[room]:>2}  {room:<22}{says.splitlines()[0]}")
        lines += textwrap.wrap(MAY_IMPORT[room], 118, initial_indent=" " * 30 + "← ", subsequent_indent=" " * 32)
    return "\n".join(lines)


if __name__ == "__main__":
    page = ROOT.parent / "CONTRIBUTING.md"
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(f"{before}{begin}\n\n{picture()}\n\n{end}{after}", encoding="utf-8")
