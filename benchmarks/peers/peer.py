"""What a peer is: a way from a frame in memory to its mask."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import cv2
import numpy as np
from typing_extensions import override

from benchmarks.peers.task import Image, Task
from fcn_edge.metrics.durations import NS_PER_MS

__all__ = ["Group", "Kind", "Peer", "StreamPeer", "call_times", "enlarged", "planes"]

T = TypeVar("T")

FILLING = 3
"""Results of a stream that are not timed: there is nothing yet that its frames overlap with."""

Kind = Literal["ours", "peer", "toolkit"]
Group = Literal["call", "stream", "network", "other net"]


class Peer(ABC):
    """A way to segment frames, loaded once in a process of its own.

    Args:
        task: The work.

    Attributes:
        name: What the command line calls it.
        title: What tables call it.
        kind: ``ours``; ``toolkit`` where preprocessing and mask are the library's; else ``peer``.
        group: ``call``: one frame after the other, to a full-size mask; ``stream``: the same with frames overlapping;
            ``network``: without preprocessing and mask; ``other net``: its own network, not the model's.
        precision: ``fp32``, ``int8``, or ``own`` where the library chooses.
        includes: What is timed.
        setting: Which settings it runs with, where the library leaves a choice.
        packages: Distributions that it needs beside those of fcn_edge's own extras.
        warm_up: Frames before the first that counts.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[Kind] = "peer"
    group: ClassVar[Group] = "call"
    precision: ClassVar[str] = "fp32"
    includes: ClassVar[str]
    setting: ClassVar[str] = ""
    packages: ClassVar[tuple[str, ...]] = ()
    warm_up: ClassVar[int] = 3

    def __init__(self, task: Task) -> None:
        self.task = task

    @classmethod
    def about(cls) -> dict[str, Any]:
        """What the results say of it, whether it runs or not."""
        named = ("title", "kind", "group", "precision", "includes", "setting")
        return {name: getattr(cls, name) for name in named}

    @classmethod
    def prepare(cls, task: Task) -> str:  # noqa: ARG003 - subclasses write into it
        """Write what takes time and is the same in every round, once; what is to be said of it, if anything."""
        return ""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Threads that run the network."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what outlives the object, such as threads."""

    @abstractmethod
    def mask(self, frame: Image) -> Image:
        """The ``(H, W)`` uint8 mask of a ``(H, W, 3)`` uint8 BGR frame."""

    def milliseconds(self, frames: Sequence[Image], count: int) -> list[float]:
        """Milliseconds of each of ``count`` calls, over the frames in turns."""
        return call_times(self.mask, frames, count)


class StreamPeer(Peer):
    """A way that works on several frames at once; its time is that of all but the first frames by their number."""

    group = "stream"

    @abstractmethod
    def masks(self, frames: Iterator[Image], count: int) -> Iterator[Image]:
        """The masks of the first ``count`` frames, in order."""

    @override
    def mask(self, frame: Image) -> Image:
        (mask,) = self.masks(iter([frame]), 1)
        return mask

    @override
    def milliseconds(self, frames: Sequence[Image], count: int) -> list[float]:
        through = self.masks((frames[index % len(frames)] for index in range(FILLING + count)), FILLING + count)
        for _ in range(FILLING):
            next(through)
        started = time.perf_counter_ns()
        given = sum(1 for _ in through)
        assert given == count
        return [(time.perf_counter_ns() - started) / NS_PER_MS / count]


def call_times(call: Callable[[T], Any], given: Sequence[T], count: int) -> list[float]:
    """Milliseconds of each of ``count`` calls, on what is given in turns."""
    times = []
    for index in range(count):
        argument = given[index % len(given)]
        started = time.perf_counter_ns()
        call(argument)
        times.append((time.perf_counter_ns() - started) / NS_PER_MS)
    return times


def planes(frame: Image, task: Task) -> np.ndarray:
    """The network's float input by OpenCV's own function: resized, mean subtracted, (1, 3, H, W)."""
    blob: np.ndarray = cv2.dnn.blobFromImage(frame, 1.0, task.size[::-1], task.mean)
    if any(value != 1 for value in task.scale):
        blob /= np.asarray(task.scale, np.float32).reshape(1, 3, 1, 1)
    return blob


def enlarged(labels: np.ndarray, frame: Image) -> Image:
    """A mask of the network's size at the size of its frame."""
    return np.asarray(cv2.resize(labels, frame.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
