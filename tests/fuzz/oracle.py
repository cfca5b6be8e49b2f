"""What a reader did with an input, and whether it may: it accepts, or refuses in one clear sentence of ours."""

from __future__ import annotations

import logging
import re
import traceback
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

import fcn_edge
from fcn_edge.errors import FcnEdgeError

from .parser import Shown

__all__ = ["Verdict", "judged", "wrong_with"]

PACKAGE = Path(fcn_edge.__file__).parent

TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
LONGEST = 1000
"""Letters that a message or a fix has at most."""

TELL_TALES = re.compile(
    r"""\[ONNXRuntimeError\]|onnxruntime_src|INVALID_ARGUMENT|google\.protobuf|Check\ failed|Exception\ from\ src
    |openvino::|ov::|torch\.load|torch\.serialization|weights_only|_pickle|pydantic|cv::|OpenCV\(|\(-\d{1,3}:|libpng
    |libjpeg|bad_alloc|std::|Traceback|\bFile\ ".*?",\ line|object\ at\ 0x|\b0x[0-9a-f]{5,}|\[Errno|codec\ can't
    |Exceeds\ the\ limit|NoneType""",
    re.VERBOSE,
)
"""Words of other libraries, and of Python."""

NO_MEMORY = re.compile(
    r"bad_alloc|bad allocation|Failed to allocate|Insufficient memory|not enough memory|out of memory"
)


@dataclass(frozen=True)
class Verdict:
    """What became of an input.

    Attributes:
        outcome: ``accepted``, ``refused``, or ``fault``.
        kind: Of a fault: ``internal``, ``message``, ``printed``, ``warning``, ``memory``, ``whole refused``, ``hang``,
            ``crash``, or ``suite``: the suite itself.
        what: Of a fault: one line that is the same for faults of one cause.
        detail: Of a fault: all there is to say; of a refusal, its words.
    """

    outcome: str
    kind: str = ""
    what: str = ""
    detail: str = ""


def judged(read: Callable[[], object], content: bytes = b"") -> Verdict:
    """Read an input, and judge what is raised, warned and logged, and what a command shows.

    Args:
        read: Reads it.
        content: What it holds; its own words are no other library's.
    """
    own = content.decode("utf-8", "replace")
    notes = _Notes()
    logger = logging.getLogger("fcn_edge")
    logger.addHandler(notes)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            verdict = _read(read, own)
    finally:
        logger.removeHandler(notes)
    if verdict.outcome == "fault":
        return verdict
    if warned:
        text = f"{warned[0].category.__name__}: {warned[0].message}"
        return Verdict("fault", "warning", f"{warned[0].filename}: {text[:80]}", text)
    for note in notes.texts:
        if problem := wrong_with(note, own):
            return Verdict("fault", "message", f"a note {problem}", note)
    return verdict


def _read(read: Callable[[], object], own: str) -> Verdict:
    try:
        given = read()
    except FcnEdgeError as error:
        return _of_refusal(error, error.message, error.fix, own)
    except click.UsageError as error:
        return _of_refusal(error, error.format_message(), "", own)
    except MemoryError as error:
        return Verdict("fault", "memory", f"MemoryError at {_place(error)}", traceback.format_exc())
    except Exception as error:
        return Verdict("fault", "internal", f"{type(error).__name__} at {_place(error)}", traceback.format_exc())
    if isinstance(given, Shown) and (problem := wrong_with(given, own, longest=None)):
        return Verdict("fault", "message", f"a command's output {problem}", repr(given[:2000]))
    return Verdict("accepted")


def _of_refusal(error: Exception, message: str, fix: str, own: str) -> Verdict:
    place = _place(error)
    if type(error) is FcnEdgeError:
        return Verdict("fault", "internal", f"a bare FcnEdgeError at {place}", traceback.format_exc())
    for cause in _causes(error):
        if _lacks_memory(cause) or (cause is not error and NO_MEMORY.search(str(cause))):
            return Verdict("fault", "memory", f"{type(cause).__name__} behind {place}", f"{message}\n{cause}")
    for what, text in (("a message", message), ("a fix", fix)):
        if problem := wrong_with(text, own):
            return Verdict("fault", "message", f"{what} at {place} {problem}", repr(text[:2000]))
    if not message.strip():
        return Verdict("fault", "message", f"an empty message at {place}")
    return Verdict("refused", detail=f"{message} {fix}")


def wrong_with(text: str, own: str = "", longest: int | None = LONGEST) -> str:
    """What a text for people must not have, as a phrase; empty where it has nothing of the kind.

    Args:
        text: The text.
        own: What is quoted in it: words of other libraries may stand there.
        longest: Letters at most; None for what a command shows, in any number of lines.
    """
    if longest is not None and len(text) > longest:
        return f"has more than {longest} letters"
    breaks = "" if longest is not None else "\n\t"
    if any(letter not in breaks and _is_unprintable(letter) for letter in text):
        return "holds letters that are not for printing"
    said = next((found[0] for found in TELL_TALES.finditer(text) if found[0] not in own), None)
    return "" if said is None else f"says {said!r}"


def _is_unprintable(letter: str) -> bool:
    """Control characters, halves of surrogates, breaks of lines, and what turns the direction of a text."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(letter) in TURNS


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and what it was raised from or while."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _lacks_memory(cause: BaseException) -> bool:
    """Whether there was no memory: what PyAV calls so may be a second table in an MP4, and what grows is measured."""
    return isinstance(cause, MemoryError) and not type(cause).__module__.startswith("av.")


def _place(error: BaseException) -> str:
    """Where in the package it was raised, or last called from."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename).is_relative_to(PACKAGE)]
    if not frames:
        return "the suite itself"
    last = frames[-1]
    return f"{Path(last.filename).relative_to(PACKAGE.parent)}:{last.lineno} ({last.name})"


class _Notes(logging.Handler):
    """Keeps what the package logs, as the command line shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
