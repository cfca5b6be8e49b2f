"""Tables of MP4 files that announce what the file cannot hold."""

from __future__ import annotations

import struct
from contextlib import nullcontext
from pathlib import Path

import pytest

from fcn_edge.errors import SourceError
from fcn_edge.runtime.sources import open_source
from fcn_edge.runtime.sources.mp4_tables import MOST_SAMPLES, refuse_endless_tables

from .test_wholeness import FRAGMENTED, FRAMES, cut, write

MANY = 80_000_000
"""Samples for which FFmpeg takes 5 GB."""


def box(name: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), name) + inside


def alike(samples: int) -> bytes:
    """A table of samples of one byte each."""
    return box(b"stsz", struct.pack(">III", 0, 1, samples))


def nested(*content: bytes) -> bytes:
    for name in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        content = (box(name, *content),)
    return content[0]


@pytest.mark.parametrize("reader", ["pyav", "opencv"])
def test_of_samples_that_are_not_there_are_refused(
    tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcn_edge.runtime.sources.video.has_pyav", lambda: reader == "pyav")
    path = write(tmp_path / "a.mp4")
    content = bytearray(path.read_bytes())
    sizes, chunks = content.index(b"stsz"), content.index(b"stsc")
    struct.pack_into(">II", content, sizes + 8, 1, MANY)
    struct.pack_into(">III", content, chunks + 8, 1, 1, MANY)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.mp4 is damaged or cut off: it announces more pictures"):
        open_source(path).__enter__()


@pytest.mark.parametrize(
    "content",
    [
        nested(alike(MANY)),
        box(b"Ftyp", bytes(8)) + nested(alike(MANY)),
        nested(box(b"stts", bytes(12)), alike(MANY)),
        # in many tables, and in fragments
        b"".join(nested(alike(MANY // 40)) for _ in range(40)),
        box(b"moof", box(b"traf", box(b"trun", struct.pack(">III", 0, MANY, 0)))),
        # lengths in 64 bits, and to the end
        struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8) + nested(alike(MANY)),
        nested(alike(MANY)).replace(struct.pack(">I4s", 60, b"moov"), struct.pack(">I4s", 0, b"moov")),
        # longer than what they are in
        nested(alike(MANY)).replace(struct.pack(">I4s", 52, b"trak"), struct.pack(">I4s", 5200, b"trak")),
        alike(MANY),
    ],
    ids=["plain", "name", "behind", "many", "fragment", "64 bits", "to the end", "longer", "outermost"],
)
def test_are_found_where_ffmpeg_finds_them(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(SourceError, match="it announces more pictures and sounds than it can hold"):
        refuse_endless_tables(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(100),
        b"RIFF\x10\0\0\0AVI ",
        box(b"mdat", alike(MANY)),
        nested(alike(MOST_SAMPLES)),
        nested(alike(MANY)[:-4]),
        # a list of sizes follows, in which the end of the file is noticed
        nested(box(b"stsz", struct.pack(">III", 0, 0, MANY))),
        nested(struct.pack(">I4s", 4, b"free"), alike(MANY)),
    ],
    ids=["empty", "zeros", "avi", "data", "cut off", "no number", "list", "no box"],
)
def test_of_other_content_are_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    refuse_endless_tables(tmp_path / "a.mp4")


def test_are_not_followed_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = alike(MANY)
    for _ in range(3000):
        deep = box(b"trak", deep)
    (tmp_path / "deep.mp4").write_bytes(deep)
    refuse_endless_tables(tmp_path / "deep.mp4")
    monkeypatch.setattr("fcn_edge.runtime.sources.mp4_tables.MOST_BOXES", 1000)
    for boxes, followed in ((999, True), (1000, False)):
        (tmp_path / "many.mp4").write_bytes(box(b"free") * boxes + alike(MANY))
        with pytest.raises(SourceError) if followed else nullcontext():
            refuse_endless_tables(tmp_path / "many.mp4")


@pytest.mark.parametrize("options", [{"movflags": "faststart"}, FRAGMENTED], ids=["table", "fragments"])
def test_of_whole_and_of_cut_videos_are_taken(tmp_path: Path, options: dict[str, str]) -> None:
    path = write(tmp_path / "a.mov", options=options, sound=("pcm_s16le", 30.0))
    with open_source(path) as source:
        assert len(list(source)) == FRAMES
    refuse_endless_tables(cut(path, 0.05))
