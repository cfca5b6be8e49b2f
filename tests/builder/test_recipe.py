"""Recipes: TOML files that say what to build for which device."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.backends.registry import BACKENDS
from fcn_edge.builder import BuildRequest
from fcn_edge.builder.recipe import RECIPES, read_recipe, shipped_recipes
from fcn_edge.errors import ArtifactError, UsageError

ROOT = Path(__file__).resolve().parents[2]
SAID = 'description = "mine"\ntested_on = "nothing"\n'


def recipe_file(directory: Path, text: str) -> Path:
    path = directory / "mine.toml"
    path.write_text(SAID + text)
    return path


def test_there_is_one_for_each_class_of_devices() -> None:
    assert set(shipped_recipes()) == {
        *("orin-nano", "orin-nx", "agx-orin", "thor", "rtx", "datacenter", "x86-vnni", "x86", "arm")
    }


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_can_be_asked_for(name: str) -> None:
    recipe = read_recipe(name)
    request = BuildRequest(**recipe.settings(), recipe=name)
    assert (request.backend, request.precision) == (recipe.backend, recipe.precision)
    gpu = recipe.backend in BACKENDS and BACKENDS[recipe.backend].device == "cuda"
    assert gpu == (name not in ("x86-vnni", "x86", "arm"))
    if name != "x86-vnni":  # what nobody has tried is said to be so
        assert "not run on such a" in recipe.tested_on


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_value_has_a_reason_above_it(name: str) -> None:
    lines = (RECIPES / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    for setting in read_recipe(name).settings():
        (number,) = [number for number, line in enumerate(lines) if line.startswith(f"{setting} = ")]
        assert lines[number - 1].startswith(("# ", "max_drop = ")), setting


def test_the_clone_shows_them_beside_the_engines() -> None:
    link = ROOT / "engines/recipes"
    if link.is_file():  # a checkout or an archive without links holds the link's text
        link = link.parent / link.read_text(encoding="utf-8").strip()
    assert link.resolve() == RECIPES


def test_the_documents_example_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs/concepts/engine.md").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    assert read_recipe(tmp_path / "mine.toml").settings() == {
        "backend": "openvino",
        "precision": "int8",
        "size": (384, 480),
        "threads": 2,
        "max_drop": 0.02,
    }


def test_what_is_left_out_is_the_builds_own(tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file(tmp_path, 'size = "256x320"\nthreads = 2'))
    assert recipe.settings() == {"size": (256, 320), "threads": 2}
    assert BuildRequest(**recipe.settings()) == BuildRequest(size=(256, 320), threads=2)


def test_defaults_are_those_of_a_build(tmp_path: Path) -> None:
    recipe, build = read_recipe(recipe_file(tmp_path, "")), BuildRequest()
    for name in ("backend", "precision", "size", "batch", "threads", "max_drop", "max_class_drop"):
        assert getattr(recipe, name) == getattr(build, name), name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("precision = ", "cannot be read: it is not valid TOML"),
        ('precison = "int8"', "is no recipe: precison: there is no such key"),
        ('precision = "fp8"', "precision: 'fp32', 'fp16', 'int8' or 'auto' was expected"),
        ('backend = "tpu"', "backend: auto, onnxruntime, openvino, tensorrt, tensorrt-rtx, onnxruntime-cuda were"),
        ('size = "480"', "size: '480' is not a size"),
        ("batch = 17", "batch: a number of at most 16 was expected"),
        ("threads = 0", "threads: a number of at least 1 was expected"),
        ("threads = 1025", "threads: a number of at most 1024 was expected"),
        ("max_drop = 1.5", "max_drop: a number of at most 1 was expected"),
        ("max_drop = nan", "max_drop: "),
        ('backend = "tensorrt"\nthreads = 2', "threads are of backends on the processor, and tensorrt runs on a GPU"),
        ('notes = ["a", 2]', "notes.1: a text was expected"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        read_recipe(recipe_file(tmp_path, text))
    assert problem in caught.value.message
    assert "fcn_edge/builder/recipes" in caught.value.fix


def test_what_it_is_for_must_be_said(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('tested_on = "nothing"\n')
    with pytest.raises(ArtifactError, match="description: it is missing"):
        read_recipe(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", ["orin", "", "none.toml", "x" * 5000, "a\0b", "."])
def test_an_unknown_name_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="There is no recipe") as caught:
        read_recipe(name)
    assert "orin-nano (Jetson Orin Nano, JetPack 6.1 or newer), " in caught.value.fix
