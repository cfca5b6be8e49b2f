"""What the documents say, taken apart: their code blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
COOKBOOK = sorted((ROOT / "docs/cookbook").glob("*.md"))
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "calibration", "deploy", "engines", "fcn_edge/zoo")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

_BLOCK = re.compile(r"^```(\w*)\n((?:.*\n)*?)```$|((?:^ {4}.*\n|^\n(?= {4}))+)", re.MULTILINE)
_PROMPT = re.compile(r"(?:\.venv/bin/)?fcn-edge |edge (?=[a-z]+\b)")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        language: Word behind its fence; empty for indented blocks.
        text: Its lines, without the indentation of indented blocks.
    """

    language: str
    text: str


def name_of(page: Path) -> str:
    """The page's path in the clone, to name tests by."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> Iterator[Block]:
    """The code blocks of a page, in order."""
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match[3] is None:
            yield Block(match[1], match[2])
        else:
            yield Block("", re.sub("^ {4}", "", match[3], flags=re.MULTILINE))


def python_of(page: Path) -> list[str]:
    """The Python blocks of a page that stand for themselves: those that begin with a comment or an import."""
    return [
        block.text
        for block in blocks_of(page)
        if block.language == "python" and re.match(r"#|import |from ", block.text)
    ]


def shell_lines(page: Path) -> list[str]:
    """The lines of all blocks that are no Python; lines that end in a backslash are joined."""
    text = "\n".join(block.text for block in blocks_of(page) if block.language in ("", "bash", "console"))
    return re.sub(r"\\\n\s*", "", text).splitlines()


def commands_of(page: Path) -> list[tuple[str, ...]]:
    """The words of each ``fcn-edge`` command in the blocks of a page, without ``fcn-edge`` itself."""
    matches = ((line, _PROMPT.match(line)) for line in shell_lines(page))
    return [tuple(shlex.split(line[match.end() :], comments=True)) for line, match in matches if match]
