"""Scores to decode: a network's own on streets, and the same with more classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Session
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.preprocess import network_input
from fcn_edge.runtime.sources import open_source
from fcn_edge.street import Street

__all__ = ["Image", "RealScores", "border_share", "frames_of", "real_scores", "widened"]

Image = NDArray[np.uint8]
Scores = NDArray[np.float32]

FRAME_SIZE = (720, 1280)
_DRIVE = 30
"""Frames of a video between two that are taken: neighbors look alike."""


@dataclass(frozen=True)
class RealScores:
    """What a network gives for frames.

    Attributes:
        spec: Spec of the model.
        size: ``(height, width)`` of the network's input.
        frames: ``(H, W, 3)`` uint8 BGR, all of one size.
        scores: ``(N, C, h, w)`` float32, of each frame.
        source: What the frames show.
    """

    spec: ModelSpec
    size: Size
    frames: Sequence[Image]
    scores: Scores
    source: str


def frames_of(video: Path | None, count: int) -> tuple[list[Image], str]:
    """Frames of a video, some way apart, or of rendered streets of 1280x720; and what they show."""
    if video is None:
        return [Street(seed=seed, size=FRAME_SIZE, frames=1).frame(0)[0] for seed in range(count)], "rendered streets"
    with open_source(video) as source:
        frames = [frame.image for frame in islice(source, 0, count * _DRIVE, _DRIVE)]
    return frames, video.name


def real_scores(session: Session, frames: Sequence[Image], source: str) -> RealScores:
    """The scores of frames, by a session of the CPU."""
    spec, size = session.spec, session.size
    place = placement((frames[0].shape[0], frames[0].shape[1]), size, spec.resize)
    inputs = [network_input(frame, place, spec.fill_bgr) for frame in frames]
    scores = np.stack([session.scores(image) for image in inputs])
    return RealScores(spec, size, frames, scores, source)


def widened(scores: Scores, classes: int) -> Scores:
    """Scores of a network with more classes than the one at hand.

    The classes that it lacks get the scores that its own have one frame on, lowered by a standard deviation: they win
    here and there, as rare classes do.
    """
    missing = classes - scores.shape[1]
    extra = np.roll(scores, 1, axis=0)[:, np.arange(missing) % scores.shape[1], ::-1] - scores.std()
    return np.concatenate([scores, extra], axis=1).astype(np.float32)


def border_share(scores: Scores) -> float:
    """Share of the cells whose four corners do not share their best class, which cost a decoder most."""
    best = scores.argmax(axis=1)
    same = best[:, 1:, 1:] == best[:, :-1, :-1]
    same &= (best[:, 1:, :-1] == best[:, :-1, 1:]) & (best[:, 1:, 1:] == best[:, 1:, :-1])
    return float(1 - same.mean())
