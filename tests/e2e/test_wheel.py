"""The wheel alone is enough: installed into an environment that holds it and what it asks for, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
NAME = "camvid-mobilenet_v2-fcn8s"
EXTRAS = ("cpu-headless", "convert")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    pytest.importorskip("hatchling")
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (made,) = directory.glob("fcn_edge-*.whl")
    return made


def required(wheel: Path) -> set[str]:
    """The distributions that the wheel brings with ``EXTRAS``, and what they ask for in turn."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode().split("\n\n")[0].splitlines()
    asked = [(line.removeprefix("Requires-Dist: "), EXTRAS) for line in lines if line.startswith("Requires-Dist: ")]
    found: set[tuple[str, tuple[str, ...]]] = set()
    while asked:
        text, extras = asked.pop()
        requirement = Requirement(text)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        key = (canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))
        if key not in found:
            found.add(key)
            asked += [(one, key[1]) for one in distribution(key[0]).requires or []]
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel. What it needs is linked from here: nothing is downloaded."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python*/site-packages")
    try:
        needed = [distribution(name) for name in required(wheel)]
    except PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    for one in needed:
        for top in {file.parts[0] for file in one.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(one.locate_file(top)))
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run(
        [*install, "install", "--no-deps", "--no-index", "--no-compile", str(wheel)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return python


def run(python: Path, *words: str, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(python: Path, *words: str, cwd: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(python, str(python.with_name("fcn-edge")), *words, "--json", cwd=cwd))
    return result


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    tree = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "fcn_edge").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert {Path(name).suffix for name in tree} >= {".py", ".cu", ".cuh", ".onnx", ".json", ".html", ".css", ".js"}
    assert sorted(tree - held) == []
    assert [name for name in sorted(held - tree) if not re.match(r"fcn_edge-[^/]+\.dist-info/", name)] == []


def test_the_source_archive_holds_them_too() -> None:
    """pip builds the wheel from it where there is none; a link in the clone once hid the recipes from it."""
    sdist = pytest.importorskip("hatchling.builders.sdist")
    held = {Path(file.distribution_path).as_posix() for file in sdist.SdistBuilder(str(ROOT)).recurse_included_files()}
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    wheel = {Path(file.distribution_path).as_posix() for file in builder.recurse_included_files()}
    assert "fcn_edge/builder/recipes/orin-nano.toml" in wheel
    assert sorted(wheel - held) == []


def test_nothing_of_the_source_tree_is_seen(python: Path, tmp_path: Path) -> None:
    code = "import fcn_edge, json, sys; print(json.dumps([fcn_edge.__file__, *filter(None, sys.path)]))"
    module, *path = json.loads(run(python, "-c", code, cwd=tmp_path))
    assert Path(module).is_relative_to(python.parents[1])
    assert [one for one in path if Path(one).is_relative_to(ROOT)] == []
    run(python, "-c", "from importlib.util import find_spec; assert not find_spec('torch')", cwd=tmp_path)


def test_doctor(python: Path, tmp_path: Path) -> None:
    checks = {check["name"]: check for check in command(python, "doctor", cwd=tmp_path)["checks"]}
    assert str(python) in checks["fcn_edge"]["found"]
    assert checks["backend onnxruntime"]["ok"]
    assert checks[f"model {NAME}"]["ok"]


def test_run(python: Path, tmp_path: Path) -> None:
    summary = command(python, "run", NAME, "synthetic://street?frames=2", "null:", cwd=tmp_path)
    assert summary["frames"] == 2
    assert summary["rendered_miou"] > 0.35


def test_recipes(python: Path, tmp_path: Path) -> None:
    names = [recipe["name"] for recipe in command(python, "build", "--recipe", "?", cwd=tmp_path)["recipes"]]
    assert "orin-nano" in names
    assert "x86-vnni" in names


def test_build_in_int8(python: Path, tmp_path: Path) -> None:
    words = ("--backend", "onnxruntime", "--precision", "int8", "--size", "256x320", "-o", "engine")
    built = command(python, "build", NAME, *words, cwd=tmp_path)
    assert built["precision"] == "int8"
    summary = command(python, "run", "engine", "synthetic://street?frames=2", "null:", cwd=tmp_path)
    assert summary["frames"] == 2
