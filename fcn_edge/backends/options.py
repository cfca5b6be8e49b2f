"""How a network is built and run, besides what its model says of itself: the choices of whoever has the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fcn_edge.errors import UsageError

__all__ = [
    "BUILD_DEFAULTS",
    "LARGEST_BATCH",
    "MOST_THREADS",
    "RUN_DEFAULTS",
    "BuildOptions",
    "PreprocessOn",
    "RunOptions",
]

PreprocessOn = Literal["auto", "host", "device"]
"""Where frames of the host are brought to the network's size."""

LARGEST_BATCH = 16
"""Frames that an engine may take at once."""

MOST_THREADS = 1024
"""Of a CPU backend: more than any of these machines has cores. Libraries start as many as they are told to."""


@dataclass(frozen=True)
class RunOptions:
    """How an engine runs.

    Attributes:
        threads: Threads of a CPU backend, 1 to ``MOST_THREADS``; the physical cores that the process may use when None.
        device: Index of the GPU, from 0, as CUDA counts those that ``CUDA_VISIBLE_DEVICES`` shows; CPU backends take
            none but 0.
        graphs: A GPU backend captures the work of a frame into a CUDA graph where it can.
        preprocess_on: Where frames of the host are brought to the network's size: ``host`` is the processor, with
            OpenCV, ``device`` the GPU, which CPU backends do not have; ``auto`` is where the network runs.

    Raises:
        UsageError: A value makes no sense.
    """

    threads: int | None = None
    device: int = 0
    graphs: bool = True
    preprocess_on: PreprocessOn = "auto"

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise UsageError(
                f"threads is {self.threads}; 1 to {MOST_THREADS} was expected.", "Leave it out to use every core."
            )
        _check_device(self.device)
        if self.preprocess_on not in ("auto", "host", "device"):
            raise UsageError(
                f"preprocess_on is {self.preprocess_on!r}; 'auto', 'host' or 'device' was expected.",
                "Leave it out to preprocess where the network runs.",
            )

    def check_for_cpu(self, backend: str) -> None:
        """Refuse what a backend on the processor does not have.

        Args:
            backend: Name of the backend.

        Raises:
            UsageError: A GPU was chosen, or its preprocessing.
        """
        _check_for_cpu(self.device, backend)
        if self.preprocess_on == "device":
            raise UsageError(
                f"preprocess_on is 'device', and {backend} runs on the processor.",
                "Leave it out, or take a GPU backend.",
            )


@dataclass(frozen=True)
class BuildOptions:
    """How a backend compiles a model.

    Attributes:
        device: Index of the GPU to build on and for, from 0, as CUDA counts them; CPU backends take none but 0.
        batch: Frames that the engine takes at once, 1 to ``LARGEST_BATCH``; the graph to compile must take as many.

    Raises:
        UsageError: The index is negative, or the batch is out of range.
    """

    device: int = 0
    batch: int = 1

    def __post_init__(self) -> None:
        _check_device(self.device)
        if not 1 <= self.batch <= LARGEST_BATCH:
            raise UsageError(
                f"batch is {self.batch}; 1 to {LARGEST_BATCH} was expected.",
                "It is the number of frames that the engine takes at once.",
            )

    def check_for_cpu(self, backend: str) -> None:
        """Refuse what a backend on the processor does not have.

        Args:
            backend: Name of the backend.

        Raises:
            UsageError: A GPU was chosen.
        """
        _check_for_cpu(self.device, backend)

    def check_single(self, backend: str) -> None:
        """Refuse several frames at once, for a backend whose engines take one.

        Args:
            backend: Name of the backend.

        Raises:
            UsageError: Several frames at once were asked for.
        """
        if self.batch > 1:
            raise UsageError(
                f"A batch of {self.batch} was asked for, and {backend} takes one frame at a time.",
                "Leave the batch out, or take a backend whose engines take several: onnxruntime or openvino.",
            )


def _check_device(device: int) -> None:
    if device < 0:
        raise UsageError(f"device is {device}; the index of a GPU was expected.", "GPUs are counted from 0.")


def _check_for_cpu(device: int, backend: str) -> None:
    if device:
        raise UsageError(
            f"GPU {device} was chosen, and {backend} runs on the processor.",
            "Leave the device out, or take a backend for GPUs: onnxruntime-cuda, or an engine of tensorrt.",
        )


RUN_DEFAULTS = RunOptions()
"""A backend's own choice of everything."""

BUILD_DEFAULTS = BuildOptions()
"""The first GPU, where there are some; one frame at a time."""
