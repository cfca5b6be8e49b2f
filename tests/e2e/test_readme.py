"""The documents say only what works: their links, their verbs and options."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from fcn_edge.cli.main import VERBS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "deploy/README.md",
    "docs/jetson.md",
    "engines/README.md",
)


def commands_of(document: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^ {4}(?:\.venv/bin/)?fcn-edge (.+?)(?: {2,}#.*)?$", text, re.MULTILINE)


COMMANDS = commands_of("README.md")
EXAMPLES = dict.fromkeys(command for document in DOCUMENTS for command in commands_of(document))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)\s#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_there_is_an_example_for_every_verb() -> None:
    assert {command.split()[0] for command in COMMANDS} == set(VERBS)


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_have_existing_options(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = import_module(f"fcn_edge.cli.{words[0]}").command
    words = words[1:]
    if isinstance(command, click.Group):
        name = words.pop(0)
        subcommand = command.get_command(click.Context(command), name)
        assert subcommand is not None
        command = subcommand
    # parsing checks options, choices and the number of arguments, and runs nothing; files need not exist
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in words if word.startswith("--") and word.split("=")[0] not in known] == []


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^ {4}make ([a-z-]+)", README, re.MULTILINE)
    assert targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []
