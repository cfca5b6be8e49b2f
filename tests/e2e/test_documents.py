"""The documents say only what works: their links, paths, commands, extras and targets."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import click
import pytest

import fcn_edge
from fcn_edge.cli.main import VERBS

from .documents import PAGES, README, ROOT, commands_of, name_of, shell_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLES = dict.fromkeys(words for page in PAGES for words in commands_of(page))
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
NAMED = re.compile(r"^(?:from|:::) (fcn_edge[\w.]*)|^import (fcn_edge[\w.]*)", re.MULTILINE)
"""Modules that Python blocks import, and what the reference documents."""

NAME = re.compile(r"`fcn_edge\.([\w.]+)`")
"""A name of the package, in the text."""

NEW_ENCODER = "plain"
"""The encoder that a page adds."""


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown renderers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def command_of(words: Sequence[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and the rest of the words."""
    name, *rest = words
    command: click.Command = import_module(f"fcn_edge.cli.{name}").command
    if isinstance(command, click.Group):
        name, *rest = rest
        subcommand = command.get_command(click.Context(command), name)
        assert subcommand is not None, name
        command = subcommand
    return command, rest


def enter_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter the new encoder's name where its page says, and let the command line read the file again."""
    page = (ROOT / "docs/extend/encoder.md").read_text(encoding="utf-8")
    (place,) = re.findall(r"`(\w+)` of\s+`(fcn_edge/[\w/]+\.py)`", page)
    variable, file = place
    text, count = re.subn(
        rf"^{variable} = \(", f'{variable} = ("{NEW_ENCODER}", ', (ROOT / file).read_text("utf-8"), flags=re.MULTILINE
    )
    assert count == 1, f"{file} has no tuple {variable}"
    name = file.removesuffix(".py").replace("/", ".")
    module = ModuleType(name)
    exec(compile(text, file, "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / link if link else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            lost.append(f"{link}#{anchor}")
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(
        r"`((?:fcn_edge|tests|benchmarks|deploy|requirements|docs)/[\w./-]+?)/?`", page.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_modules_that_contributing_names_are_there() -> None:
    """It shortens paths: they start in the clone or in the package."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+/[\w*]+\.\w+|[\w/]+\.py|(?:backends|tests|benchmarks)/[\w/]+)`", text))
    assert named
    assert [name for name in sorted(named) if not any(list(top.glob(name)) for top in (ROOT, ROOT / "fcn_edge"))] == []


def test_modules_of_tensorrt_are_there() -> None:
    """The page on TensorRT shortens paths: they start in the backend's folder."""
    text = (ROOT / "docs/tensorrt.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w/]+\.py)`", text) if "/" not in name or not (ROOT / name).exists()}
    assert named
    assert [name for name in named if not (ROOT / "fcn_edge/backends/tensorrt" / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_modules_that_are_imported_or_documented_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {"".join(pair) for pair in re.findall(NAMED, text)}
    lost = {name for name in named if not (ROOT / name.replace(".", "/")).with_suffix(".py").exists()}
    lost = {name for name in lost if not (ROOT / name.replace(".", "/")).is_dir()}
    assert {name for name in lost if name.removeprefix("fcn_edge.") not in fcn_edge.__all__} == set()


def test_the_python_page_documents_names_of_the_package_and_no_package() -> None:
    text = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    documented = re.findall(r"^::: fcn_edge\.([\w.]+)$", text, re.MULTILINE)
    functions = {name for cell in re.findall(r"^\| `fcn-edge .*", text, re.MULTILINE) for name in NAME.findall(cell)}
    assert functions <= set(documented)
    assert set(documented) == set(fcn_edge.__all__) - {"__version__", "errors"}, "modules have pages of their own"
    assert not [name for name in documented if isinstance(getattr(fcn_edge, name), ModuleType)]


def test_every_page_of_the_site_is_in_its_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = re.findall(r": ([\w/-]+\.md)$", navigation, re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES if ROOT / "docs" in page.parents]
    assert sorted(listed) == sorted(pages)


def test_the_site_loads_nothing_from_elsewhere() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in settings
    assert not re.search(r"https?://|emoji|mermaid", settings)
    assert not re.search(r"url\(|@import", (ROOT / "docs/site.css").read_text(encoding="utf-8"))


def test_the_readme_is_short_and_names_no_address_of_a_repository() -> None:
    text = README.read_text(encoding="utf-8")
    written = re.sub(r"<!-- ([a-z ]+): begin .*?<!-- \1: end -->", "", text, flags=re.DOTALL)
    assert len(written.split()) < 950  # the tables of measurements aside
    assert not re.search(r"git clone|github\.com|gitlab\.com|git@", text)


def test_the_readme_shows_three_ways_in_at_most_six_lines_each() -> None:
    start = README.read_text(encoding="utf-8").partition("## Start here")[2].partition("\n## ")[0]
    ways = re.split(r"^### ", start, flags=re.MULTILINE)[1:]
    assert len(ways) == 3
    for way in ways:
        fenced = re.search(r"^```python\n(.*?)^```", way, re.MULTILINE | re.DOTALL)
        lines = fenced[1].splitlines() if fenced else re.findall(r"^ {4}\S.*", way, re.MULTILINE)
        assert 0 < len([line for line in lines if line.strip()]) <= 6, way


def test_the_readme_has_an_example_for_every_verb() -> None:
    assert {words[0] for words in commands_of(README)} == set(VERBS)


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_commands_are_understood(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for option, file in pairwise(words):
        if option == "--init":
            Path(file).touch()  # the one file that must be there to be named
    if NEW_ENCODER in words:
        enter_encoder(monkeypatch)
    command, rest = command_of(words)
    command.make_context(words[0], rest)  # fails on options, choices, sizes and numbers of arguments; runs nothing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_in_the_text_exist(page: Path) -> None:
    unknown = []
    for code in re.findall(r"`(fcn-edge [^`]+)`", page.read_text(encoding="utf-8")):
        words = code.split()[1:]
        if words[0].startswith("-"):
            continue
        command, rest = command_of([word for word in words if word != "..."])
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown += [word for word in rest if word.startswith("--") and word not in known]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_extras_that_are_installed_exist(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = page.read_text(encoding="utf-8")
    named = {name for extras in re.findall(r"'(?:\.|fcn_edge)\[([\w,-]+)\]'", text) for name in extras.split(",")}
    assert named <= set(project["optional-dependencies"])


def test_every_extra_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs/install.md").read_text(encoding="utf-8"), re.MULTILINE)
    explained = {name for cell in table for name in re.findall(r"`([\w-]+)`", cell)}
    assert explained == set(project["optional-dependencies"]) - {"dev"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text, re.MULTILINE)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    assert page != README or {"demo", "test"} <= set(targets)


def test_other_commands_of_the_readme_are_of_a_known_kind() -> None:
    """A command that no test looks at may rot: a new kind of line needs a test first."""
    known = re.compile(
        r"fcn-edge |make (demo|test)\b|pip install '\.\[|(/usr/bin/)?python3 -m venv |\. \.venv/bin/activate$"
        r"|sudo apt-get install nvidia-jetpack python3-venv$|$"
    )
    assert [line for line in shell_lines(README) if not known.match(line)] == []
