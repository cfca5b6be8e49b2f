"""Texts of the command line: sources and sinks with their options, sizes, durations, names of classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..damages import text_damaged
from ..parser import Parser

__all__ = ["PARSERS"]

SOURCES = (
    "synthetic://street?seed=7&size=64x96&frames=2&fps=25",
    "clip.mp4#loop=2&fps=5",
    "0#size=720x1280&fps=30",
    "/dev/video0#flip=180",
    "csi://0#size=720x1280&fps=30&flip=180",
    "rtsp://user:secret@camera.local:554/live?a=b#transport=udp&timeout=5&jitter=100",
    "rtsp://camera.local/live#decoder=auto&latency=100",
    "https://user:secret@camera.local/video.mjpg#timeout=5",
    "gst://videotestsrc ! video/x-raw,width=64,height=48",
    "file:///elsewhere/clip%20one.mp4#roi=0.1,0.2,0.9,0.8&flip=horizontal",
    "-#fps=10",
)
SINKS = ("out.mp4#encoder=auto", "masks/", "mask.png", "-", "null:", "file:out.mkv", "out.webm#encoder=libx264")
QUANTITIES = ("512x1024", "90s", "1.5h", "10 min", "20GB", "500 MiB", "0x0", "7")
WEBHOOK = "https://user:secret@host:8443/a?b=c"
CHALLENGES = (
    'Digest realm="camera", nonce="a1b2", qop="auth,auth-int", algorithm=SHA-256, opaque="x"',
    'Basic realm="camera", Digest realm="c \\" d", nonce="1", stale=true',
)


def encoded(*texts: str) -> Callable[[Path], list[bytes]]:
    return lambda _: [text.encode() for text in texts]


def text_of(path: Path) -> str:
    """As Python gives arguments of a command line: what is no UTF-8 becomes lone surrogates."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def source(path: Path, _: Path) -> object:
    """A connection, which touches nothing before it is connected; only rendered scenes are."""
    from fcn_edge.runtime.source_set import label_of
    from fcn_edge.runtime.sources import SourceAddress
    from fcn_edge.runtime.sources.tcp import Authority

    address = SourceAddress.of(text_of(path))
    assert ":secret@" not in str(address)
    label_of(address)
    if address.scheme in ("rtsp", "http", "https"):
        Authority.of(address.location, address.text, 80)
    connection = address.connection()
    try:
        if address.scheme == "synthetic":
            connection.connect()
        return connection
    finally:
        connection.close()


def sink(path: Path, _: Path) -> object:
    from fcn_edge.runtime.sinks.base import SinkContext
    from fcn_edge.runtime.sinks.registry import check_series, checked_sinks, is_for_all, of_source, open_sink
    from fcn_edge.runtime.uri import Uri

    text = text_of(path)
    check_series(checked_sinks([text]), None, None)
    is_for_all(text)
    of_source(text, "front")
    place = Path(Uri.parse(text, ("encoder",)).place)
    # what lies elsewhere on the machine is left alone, and no window is opened
    if text == "display" or text.startswith("display:") or place.is_absolute() or ".." in place.parts:
        return None
    with open_sink(text, SinkContext(overlay=lambda result: result.image, single=True)) as opened:
        return opened.name


def quantity(path: Path, _: Path) -> object:
    import click

    from fcn_edge.artifacts.spec import checked_size, size_from_text
    from fcn_edge.cli.quantities import BYTES, DURATION
    from fcn_edge.cli.verb import SIZE
    from fcn_edge.datasets.class_names import labels_from_text
    from fcn_edge.errors import FcnEdgeError
    from fcn_edge.runtime.sources.looped import loops_from_text
    from fcn_edge.runtime.sources.transformed import Region, flip_from_text
    from fcn_edge.runtime.uri import frame_size_from_text

    text = text_of(path)
    refused = [
        refusal
        for read in (
            partial(SIZE.convert, text, None, None),
            partial(DURATION.convert, text, None, None),
            partial(BYTES.convert, text, None, None),
            lambda: checked_size(size_from_text(text)),
            partial(labels_from_text, text),
        )
        if (refusal := refusal_of(read, (FcnEdgeError, click.UsageError))) is not None
    ]
    for option in (frame_size_from_text, loops_from_text, flip_from_text, Region.from_text):
        refusal_of(partial(option, text), ValueError)  # made a sentence by who asks
    # no text is all of them: each refusal is looked at for some texts
    raise refused[len(text) % len(refused)]


def refusal_of(read: Callable[[], object], kinds: type[Exception] | tuple[type[Exception], ...]) -> Exception | None:
    """How a text is refused; None where it is taken."""
    try:
        read()
    except kinds as error:
        return error
    return None


def challenge(path: Path, _: Path) -> object:
    """What a server says of the login that it wants."""
    from fcn_edge.runtime.sources import web_login

    return [each.rank for each in web_login._challenges([path.read_bytes().decode("latin-1")])]


def webhook(path: Path, _: Path) -> object:
    from fcn_edge.runtime.webhook import Webhook

    with Webhook(text_of(path)) as listener:
        return listener


PARSERS = (
    Parser("address.source", "source.txt", encoded(*SOURCES), source, (text_damaged,), 2, ("av",), refuses=True),
    Parser("address.sink", "sink.txt", encoded(*SINKS), sink, (text_damaged,), 1, ("av",), refuses=True),
    Parser("address.quantity", "quantity.txt", encoded(*QUANTITIES), quantity, (text_damaged,), 1, refuses=True),
    Parser("address.webhook", "url.txt", encoded(WEBHOOK), webhook, (text_damaged,), 0.5),
    Parser("address.login", "header.txt", encoded(*CHALLENGES), challenge, (text_damaged,), 0.5),
)
