"""Which kinds of sinks there are, and what opens each.

A new kind is a ``Sink`` and a line in ``OPENERS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.io.files import same_file
from fcn_edge.io.images import IMAGE_SUFFIXES
from fcn_edge.io.lookups import lookup_errors
from fcn_edge.io.outputs import Inputs, check_folder, check_outputs
from fcn_edge.io.redaction import without_passwords
from fcn_edge.io.temporary import remove_leftovers
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink, SinkContext
from fcn_edge.runtime.uri import Uri
from fcn_edge.text import command_line

if TYPE_CHECKING:
    from fcn_edge.runtime.sinks.rtsp.address import RtspAddress

__all__ = [
    "OPENERS",
    "AnySink",
    "check_series",
    "checked_sinks",
    "is_for_all",
    "is_mask_of",
    "is_same_file",
    "is_stream",
    "of_source",
    "open_sink",
    "prepare_sink",
]

FIX = "Give a video file such as out.mp4, a folder, - for JSON lines, rtsp://:8554/name, display, or null:."
RTSP = "rtsp"
WORDS = {"-": "stdout", "display": "display", "null": "null", "null:": "null"}

SHORTEST_SEGMENT, LONGEST_SEGMENT = 1.0, 365 * 86400.0
"""Seconds."""
LEAST_KEPT = 1 << 20
"""Bytes."""

OPTIONS = frozenset({"encoder"})
"""Our options of all kinds of sinks: what is taken for one behind ``#``."""

AnySink = str | Path | Sink
"""What names a sink, or a sink; a sink stays the caller's to close."""


def checked_sinks(sinks: AnySink | Sequence[AnySink]) -> list[str | Sink]:
    """What was given as sinks, paths as texts; opens nothing.

    Raises:
        UsageError: One is named twice, under whatever names, holds a NUL, is an address of RTSP that makes no sense, or
            is neither a text nor a path nor a sink.
    """
    given: list[str | Sink] = []
    for sink in [sinks] if isinstance(sinks, AnySink) else sinks:
        if not isinstance(sink, AnySink):
            raise UsageError(f"A SINK is given as {type(sink).__name__}.", "Give a text, a path, or a Sink.")
        if isinstance(sink, str | Path) and "\0" in str(sink):
            raise UsageError(f"The SINK {str(sink)!r} holds a NUL, which no name may.", FIX)
        given.append(str(sink) if isinstance(sink, Path) else sink)
    texts = [sink for sink in given if isinstance(sink, str)]
    for number, text in enumerate(texts):
        if any(text == other or is_same_file(text, other) for other in texts[:number]):
            raise UsageError(f"A SINK is named twice: {Uri.parse(text, OPTIONS)}.", "Name each once.")
        if is_stream(text):
            _rtsp_address(text)
    return given


def is_same_file(one: str, other: str) -> bool:
    """Whether two texts name one file or folder: also as a path and an address, or through links."""
    first, second = _place_of(one), _place_of(other)
    return first is not None and second is not None and same_file(first, second)


def is_mask_of(image: str, folder: str, context: SinkContext) -> bool:
    """Whether a text names the image file that a folder's mask of the only frame would be."""
    path, place = _place_of(image), _place_of(folder)
    if path is None or place is None or not context.single:
        return False
    names = {"000000.png", *(f"{read.stem}.png" for read in context.reads)}
    return path.name in names and same_file(path.parent, place)


def _place_of(text: str) -> Path | None:
    """The file or folder that a text names; None where it names something else, such as a window."""
    uri = Uri.parse(text, OPTIONS)
    return Path(uri.place) if WORDS.get(text, uri.scheme) in ("", "file") else None


@lookup_errors(UsageError)
def check_series(sinks: Sequence[str | Sink], segment: float | None, keep: int | None) -> None:
    """Say what is wrong with a series of video files, if one was asked for.

    Args:
        sinks: What ``checked_sinks`` gave.
        segment: Seconds of each file; None where no series was asked for.
        keep: Bytes that the files may take together; None for all of them.

    Raises:
        UsageError: There is no video, or the numbers make no sense.
    """
    if segment is None and keep is None:
        return
    if segment is None:
        raise UsageError(
            "What is kept of a video can be limited only where it is cut into segments (keep without segment).",
            "Give the length of a segment too, such as --segment 10m.",
        )
    if not SHORTEST_SEGMENT <= segment <= LONGEST_SEGMENT or (keep is not None and keep < LEAST_KEPT):
        raise UsageError(
            f"A segment lasts {SHORTEST_SEGMENT:.0f} s to 365 days, and {LEAST_KEPT >> 20} MB at least are kept.",
            "Give such as --segment 10m --keep 20GB.",
        )
    if not any(isinstance(sink, str) and _is_video(sink) for sink in sinks):
        raise UsageError("There is no video to cut into segments among the sinks.", "Name one, such as out.mp4.")


def _is_video(text: str) -> bool:
    from fcn_edge.runtime.sinks.video import VIDEO_SUFFIXES

    uri = Uri.parse(text, OPTIONS)
    path = Path(uri.place)
    return uri.scheme in ("", "file") and path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def is_for_all(text: str) -> bool:
    """Whether a sink takes the results of several sources, which are one stream each to all others."""
    return WORDS.get(text) in ("stdout", "null")


def is_stream(text: str) -> bool:
    """Whether a sink sends video on as it comes."""
    return Uri.parse(text, OPTIONS).scheme == RTSP


@lookup_errors(UsageError)
def of_source(text: str, label: str) -> str:
    """What a sink is called for one of several sources: ``masks/front`` of ``masks``, ``out-front.mp4`` of ``out.mp4``.

    ``rtsp://:8554/street-front`` of ``rtsp://:8554/street``.

    Args:
        text: What was given.
        label: The short name of the source.
    """
    uri = Uri.parse(text, OPTIONS)
    if uri.scheme == RTSP:
        address, mark, query = uri.location.partition("?")
        return f"{address.rstrip('/')}-{label}{mark}{query}{text[len(uri.location) :]}"
    if WORDS.get(text, uri.scheme) not in ("", "file"):
        return text
    path = Path(uri.place)
    if path.is_dir() or uri.place.endswith(("/", os.sep)) or not path.suffix:
        return str(path / label)
    options = text[len(uri.location) :]
    return str(path.with_name(f"{path.stem}-{label}{path.suffix}")) + options


@lookup_errors(UsageError)
def prepare_sink(text: str, context: SinkContext) -> None:
    """Do what takes seconds, once, where a sink of this kind is opened: try the encoder of a video, start a server.

    What is wrong with an encoder is said when it is opened.

    Args:
        text: What ``open_sink`` gets, for one source.
        context: What the stream is.

    Raises:
        UsageError: The address of a server makes no sense, or is open to all without a token.
        MachineError: The server cannot be started, or does not answer.
    """
    if Uri.parse(text, OPTIONS).scheme == RTSP:
        _prepare_rtsp(text, context)
        return
    if not _is_video(text):
        return
    from fcn_edge.runtime.sinks.encoded import WEBM
    from fcn_edge.runtime.sinks.encoders.choice import chosen, encoder_from_text

    uri = Uri.parse(text, OPTIONS)
    if Path(uri.place).suffix.lower() == WEBM:  # no board encodes it
        return
    with suppress(FcnEdgeError):
        chosen(*uri.read_options({"encoder": encoder_from_text}).values())


@lookup_errors(UsageError)
def open_sink(text: str, context: SinkContext) -> Sink:
    """Open what a text names.

    Args:
        text: A file, a folder, ``-``, ``rtsp://...``, ``display`` or ``null:``.
        context: What the stream is.

    Returns:
        The sink; close it, or use it in a ``with`` block.

    Raises:
        UsageError: The text makes no sense, names a kind of sink that this version does not write, or a place where
            nothing may be written.
        MachineError: The machine lacks what the sink needs, such as a screen.
    """
    uri = Uri.parse(text, OPTIONS)
    scheme = WORDS.get(text, uri.scheme)
    if scheme not in OPENERS:
        raise UsageError(f"{uri} is of a kind that this version does not write ({scheme}://).", FIX)
    sink = OPENERS[scheme](uri, context)
    sink.name = uri.text
    return sink


class _NullSink(Sink):
    @override
    def write(self, result: Result) -> None:
        pass


def _open_null(_uri: Uri, _context: SinkContext) -> Sink:
    return _NullSink()


def _open_stdout(_uri: Uri, context: SinkContext) -> Sink:
    from fcn_edge.runtime.sinks.jsonlines import JsonLinesSink
    from fcn_edge.runtime.sinks.queued import QueuedSink

    lines = JsonLinesSink()
    if not (context.live or context.shared):
        return lines
    return QueuedSink(lines, "The reader of standard output", context.max_age_ns, lines.stop, context.live)


def _open_display(_uri: Uri, context: SinkContext) -> Sink:
    from fcn_edge.runtime.sinks.display import DisplaySink

    return DisplaySink(context)


def _rtsp_address(text: str) -> RtspAddress:
    from fcn_edge.runtime.sinks.rtsp.address import RtspAddress

    return RtspAddress.of(Uri.parse(text, OPTIONS))


def _prepare_rtsp(text: str, context: SinkContext) -> None:
    from fcn_edge.runtime.sinks.rtsp.push import check_reachable
    from fcn_edge.runtime.sinks.shared_video import streaming_choice

    address = _rtsp_address(text)
    streaming_choice()
    if not address.hosted:
        check_reachable(address)
    elif context.servers is not None:
        context.servers.at(address)


def _open_rtsp(uri: Uri, context: SinkContext) -> Sink:
    from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
    from fcn_edge.runtime.sinks.rtsp.hosted import HostedSink
    from fcn_edge.runtime.sinks.rtsp.pushed import PushedSink

    address = RtspAddress.of(uri)
    return HostedSink(address, context) if address.hosted else PushedSink(address, context)


def _open_file(uri: Uri, context: SinkContext) -> Sink:
    from fcn_edge.runtime.sinks.encoders.choice import encoder_from_text
    from fcn_edge.runtime.sinks.images import ImageSink, MaskFolderSink
    from fcn_edge.runtime.sinks.queued import QueuedSink
    from fcn_edge.runtime.sinks.video import VIDEO_SUFFIXES, VideoSink

    if not uri.place:
        raise UsageError("A SINK is empty.", FIX)
    path = Path(uri.place)
    shown = without_passwords(str(path))
    suffix = path.suffix.lower()
    if path.is_dir() or uri.place.endswith(("/", os.sep)) or not suffix:
        uri.read_options({})
        check_folder(path, Inputs(context.reads))
        masks = MaskFolderSink(path)
        return QueuedSink(masks, f"The disk of {shown}", context.max_age_ns) if context.live else masks
    if suffix not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        raise UsageError(f"{shown} has the suffix {suffix}, which is neither a video's nor an image's here.", FIX)
    _check_file(path, context)
    if suffix in VIDEO_SUFFIXES:
        return VideoSink(path, context, **uri.read_options({"encoder": encoder_from_text}))
    uri.read_options({})
    if not context.single:
        raise UsageError(f"{shown} is one image, and the source has many frames.", "Give a video or a folder.")
    return ImageSink(path, context)


def _check_file(path: Path, context: SinkContext) -> None:
    shown, folder = without_passwords(str(path)), without_passwords(str(path.parent))
    if Inputs(context.reads).has(path):
        raise UsageError(f"{shown} is the source itself and would be replaced.", "Give another name.")
    if not path.parent.is_dir():
        raise UsageError(
            f"There is no folder {folder} to write {Path(shown).name} into.", command_line("mkdir", "-p", Path(folder))
        )
    check_outputs({"output": path}, {})
    remove_leftovers(path.parent)  # a video that is written under its own name makes no temporary file that would


OPENERS: Mapping[str, Callable[[Uri, SinkContext], Sink]] = {
    "": _open_file,
    "file": _open_file,
    "stdout": _open_stdout,
    "display": _open_display,
    "null": _open_null,
    RTSP: _open_rtsp,
}
"""What opens each scheme; the empty one is a plain path."""
