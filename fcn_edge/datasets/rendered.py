"""Rendered street scenes as a data set: ``synthetic://street``, in every place that takes a directory of real data.

The address is ``synthetic://street?seed=0&frames=250&size=360x480&fps=25``; each part may be left out. The same
address always gives the same images and labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.errors import UsageError
from fcn_edge.street import Street

__all__ = [
    "RenderedSample",
    "RenderedSplit",
    "is_rendered",
    "rendered_splits",
    "sample_of_address",
    "street_from_uri",
]

SCHEME = "synthetic"
EXAMPLE = "synthetic://street?seed=0&frames=250&size=360x480&fps=25"
DEFAULTS: dict[str, Any] = {"seed": 0, "frames": 250, "size": (360, 480), "fps": 25.0}

TRAIN_STREETS = 64
FRAMES_A_STREET = 4
VAL_FRAMES = 50

WHOLE = re.compile("[0-9]{1,9}")
NUMBER = re.compile("[0-9]{1,9}([.][0-9]{1,9})?")


def is_rendered(text: object) -> bool:
    """Whether a text is the address of rendered scenes and not that of files, cameras or streams."""
    return isinstance(text, str) and text.lower().startswith(f"{SCHEME}:")


def street_from_uri(text: str) -> Street:
    """The street of an address such as ``synthetic://street?seed=0&frames=250&size=360x480&fps=25``.

    ``size`` is height x width, 32 or more each, not only multiples of 32.

    Raises:
        UsageError: It is not such an address, or one of its values makes no sense.
    """
    settings = _settings(text)
    try:
        return Street(**settings)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}.", f"Such as {EXAMPLE}.") from error


@dataclass(frozen=True)
class RenderedSample:
    """One rendered image with its exact labels; drawn when it is asked for.

    Attributes:
        name: Street and frame in one word.
        seed: Which street.
        frame: Which frame of its drive.
        size: ``(height, width)`` of the image.
        frames: Frames of the drive.
        fps: Frames per second of driving.
    """

    name: str
    seed: int
    frame: int
    size: tuple[int, int]
    frames: int
    fps: float

    @property
    def address(self) -> str:
        """The street's address with ``#`` and the number of the frame; ``sample_of_address`` takes it."""
        height, width = self.size
        fps = f"{self.fps:.9f}".rstrip("0").rstrip(".")
        query = f"seed={self.seed}&frames={self.frames}&size={height}x{width}&fps={fps}"
        return f"{SCHEME}://street?{query}#{self.frame}"

    def image(self) -> NDArray[np.uint8]:
        """The image, ``(H, W, 3)`` uint8 BGR."""
        return self.pair()[0]

    def labels(self) -> NDArray[np.uint8]:
        """The class ids of CamVid, ``(H, W)`` uint8."""
        return self.pair()[1]

    def pair(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image and labels."""
        return _street(self.seed, self.size, self.frames, self.fps).frame(self.frame)


class RenderedSplit(Sequence[RenderedSample]):
    """Rendered samples in the place of a ``Split``.

    Args:
        name: What the split is called.
        settings: Size, frames a drive and frames per second.
        seeds: The streets; the samples are spread over them, one street after another.
        frames: Which frame of its street's drive each sample is.

    Attributes:
        rendered: True: scores over these samples are scores on rendered images.
    """

    rendered = True

    def __init__(self, name: str, settings: dict[str, Any], seeds: range, frames: range) -> None:
        self.name = name
        self.info = DatasetInfo(
            name="rendered-street",
            classes=Street.classes,
            void=Street.void,
            palette=LABEL_SETS["camvid"].palette,
        )
        self._settings, self._seeds, self._frames = settings, seeds, frames

    @classmethod
    def from_uri(cls, text: str) -> RenderedSplit:
        """Every frame of one street's drive.

        Raises:
            UsageError: As ``street_from_uri``.
        """
        settings = _checked_settings(text)
        seed = settings["seed"]
        return cls(f"seed {seed}", settings, range(seed, seed + 1), range(settings["frames"]))

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        frame = self._frames[index]
        seed = self._seeds[self._frames.index(frame) * len(self._seeds) // len(self)]
        settings = self._settings
        name = f"street{seed:04d}-{frame:06d}"
        return RenderedSample(name, seed, frame, settings["size"], settings["frames"], settings["fps"])


def rendered_splits(text: str) -> dict[str, RenderedSplit]:
    """``train`` and ``val`` for a training without any real data.

    ``val`` is spread over the drive of the address itself, at most 50 frames of it; ``train`` has as many samples as
    the address has ``frames``, spread over up to 64 other streets. So a score on the address is a score on a street
    that the training has not seen.

    Raises:
        UsageError: As ``street_from_uri``.
    """
    settings = _checked_settings(text)
    seed, frames = settings["seed"], settings["frames"]
    others = range(seed + 1, seed + 1 + min(TRAIN_STREETS, -(-frames // FRAMES_A_STREET)))
    return {
        "train": RenderedSplit("train", settings, others, range(frames)),
        "val": RenderedSplit("val", settings, range(seed, seed + 1), range(0, frames, -(-frames // VAL_FRAMES))),
    }


def sample_of_address(text: str) -> RenderedSample:
    """One frame by its address, such as ``synthetic://street?seed=3&frames=250#12``.

    Raises:
        UsageError: As ``street_from_uri``, or the drive has no such frame.
    """
    uri, _, number = text.partition("#")
    split = RenderedSplit.from_uri(uri)
    if not WHOLE.fullmatch(number) or int(number) >= len(split):
        raise UsageError(
            f"{text!r} names no frame: # and a number of 0 to {len(split) - 1} were expected.",
            "Such as synthetic://street?seed=0#12.",
        )
    sample: RenderedSample = split[int(number)]
    return sample


@lru_cache(maxsize=TRAIN_STREETS)
def _street(seed: int, size: tuple[int, int], frames: int, fps: float) -> Street:
    """Streets are kept, because building one costs as much as drawing several of its frames."""
    return Street(seed=seed, size=size, frames=frames, fps=fps)


def _checked_settings(text: str) -> dict[str, Any]:
    """The settings of an address from which a street can be made."""
    settings = _settings(text)
    street_from_uri(text)
    return settings


def _settings(text: str) -> dict[str, Any]:
    """Seed, frames, size and fps of an address."""
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets, in which addresses of hosts stand
        parts = urlsplit("")
    if parts.scheme != SCHEME or parts.netloc != "street" or parts.path not in ("", "/") or parts.fragment:
        raise UsageError(f"{text!r} is no rendered scene: synthetic://street was expected.", f"Such as {EXAMPLE}.")
    settings = dict(DEFAULTS)
    given: set[str] = set()
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in DEFAULTS:
            raise UsageError(
                f"{text!r} has no meaning for {key!r}.", f"It takes {', '.join(DEFAULTS)}; such as {EXAMPLE}."
            )
        if key in given:
            raise UsageError(f"{text!r} gives {key!r} twice.", "Give it once.")
        given.add(key)
        settings[key] = _value(text, key, value)
    return settings


def _value(text: str, key: str, value: str) -> Any:
    if key == "size":
        height, _, width = value.lower().partition("x")
        if WHOLE.fullmatch(height) and WHOLE.fullmatch(width):
            return int(height), int(width)
    elif key == "fps":
        if NUMBER.fullmatch(value):
            return float(value)
    elif WHOLE.fullmatch(value):
        return int(value)
    expected = {"size": "height x width such as 360x480", "fps": "a number"}.get(key, "a whole number")
    raise UsageError(f"{text!r}: {key} is {value!r}, {expected} was expected.", f"Such as {EXAMPLE}.")
