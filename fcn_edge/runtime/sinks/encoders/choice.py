"""Which encoder writes videos here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial

import numpy as np

from fcn_edge.errors import MachineError, UsageError, needed_for
from fcn_edge.runtime.sinks.encoders.base import Encoder, EncoderError, VideoBegin
from fcn_edge.runtime.sinks.encoders.elements import BOARD, ELEMENTS
from fcn_edge.runtime.sinks.encoders.failures import failed
from fcn_edge.runtime.sinks.encoders.gstreamer import GStreamerEncoder
from fcn_edge.runtime.sinks.encoders.libvpx import LIBVPX, LibvpxEncoder
from fcn_edge.runtime.sinks.encoders.libx264 import LIBX264, Libx264Encoder
from fcn_edge.runtime.sinks.encoders.pyav import pyav_encodes
from fcn_edge.system.video_encoder import may_have_encoder

__all__ = ["AUTO", "ENCODERS", "Choice", "chosen", "chosen_for_webm", "encoder_from_text", "problem_of"]

AUTO = "auto"
ENCODERS = (AUTO, LIBX264, *ELEMENTS)
"""Values of the option ``encoder`` of a video."""

TRIED_SIZE = (240, 320)
TRIAL_TIMEOUT = 4.0
"""Seconds that an encoder may give nothing on its trial, once GStreamer runs: a run waits for it."""


@dataclass(frozen=True)
class Choice:
    """The encoder of a video.

    Attributes:
        name: What it is called.
        make: Makes one; it may be called again.
        spare: Makes the one that goes on where that one fails; None where there is none, or the user wants no other.
    """

    name: str
    make: Callable[[], Encoder]
    spare: Callable[[], Encoder] | None = None


def encoder_from_text(text: str) -> str:
    """The value of the option ``encoder``.

    Raises:
        ValueError: It is none.
    """
    if text not in ENCODERS:
        raise ValueError(f"{', '.join(ENCODERS[:-1])} or {ENCODERS[-1]} was expected")
    return text


def chosen(name: str = AUTO) -> Choice | None:
    """The encoder that writes: of ``auto`` a board's own where it works, else libx264; None where there is neither.

    An element of GStreamer encodes two small pictures first, once in a process.

    Args:
        name: One of ``ENCODERS``.

    Raises:
        MissingExtraError: PyAV, which writes the files of every encoder, is not installed; not of ``auto``.
        MachineError: The encoder that was named is not here, or does not work; not of ``auto``.
    """
    if name == AUTO:
        return _best()
    with needed_for("Writing H.264"):
        import av  # noqa: F401
    if name == LIBX264:
        if not pyav_encodes(LIBX264):
            raise MachineError(
                "PyAV was built without libx264 here.",
                "Take its wheel: pip install --force-reinstall --only-binary av av",
            )
        return Choice(LIBX264, Libx264Encoder)
    problem = problem_of(name)
    if problem is not None:
        raise EncoderError(problem.message, problem.fix)
    return Choice(name, partial(GStreamerEncoder, name))


def chosen_for_webm(name: str = AUTO) -> Choice:
    """The encoder of WebM, which takes VP9 and no H.264.

    Args:
        name: ``auto``: there is but one.

    Raises:
        UsageError: Another one was asked for.
        MissingExtraError: PyAV is not installed.
        MachineError: PyAV has no such encoder here.
    """
    if name != AUTO:
        raise UsageError(
            f"A .webm video is in VP9, which {name} does not make.", "Leave the encoder out, or write .mp4 or .mkv."
        )
    with needed_for("Writing WebM"):
        import av  # noqa: F401
    if not pyav_encodes(LIBVPX):
        raise MachineError("PyAV was built without libvpx here.", "Write out.mp4 or out.mkv.")
    return Choice(LIBVPX, LibvpxEncoder)


@cache
def problem_of(name: str) -> EncoderError | None:
    """What keeps an element of GStreamer from encoding; None where it encodes. Asked once in a process.

    Args:
        name: One of ``ELEMENTS``.
    """
    import av

    rate, base = Fraction(25), Fraction(1, 90_000)
    gray = np.full((TRIED_SIZE[0] * 3 // 2, TRIED_SIZE[1]), 128, np.uint8)
    packets = 0
    try:
        with av.open(os.devnull, "w", format="mp4") as container, _tried(name) as encoder:
            encoder.begin(VideoBegin(container, TRIED_SIZE, rate, base))
            packets += len(encoder.encode(gray, 0, True))
            packets += len(encoder.encode(gray, 3600, False))
            packets += len(encoder.end())
    except EncoderError as error:
        return EncoderError(error.message, error.fix)  # without what it holds on to
    return None if packets == 2 else failed(name, "left pictures out")


def _tried(name: str) -> GStreamerEncoder:
    return GStreamerEncoder(name, timeout=TRIAL_TIMEOUT)


def _best() -> Choice | None:
    try:
        import av  # noqa: F401
    except ImportError:
        return None
    spare = Libx264Encoder if pyav_encodes(LIBX264) else None
    if may_have_encoder():
        for name in BOARD:
            if problem_of(name) is None:
                return Choice(name, partial(GStreamerEncoder, name), spare)
    return None if spare is None else Choice(LIBX264, spare)
