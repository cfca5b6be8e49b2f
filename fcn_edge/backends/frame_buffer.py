"""A frame in memory that is not the host's, such as a GPU's, on its way from a source to a session."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameBuffer", "host_frame"]


class FrameBuffer(ABC):
    """A ``(H, W, 3)`` uint8 BGR frame whose pixels come to the host only when somebody asks for them.

    It keeps what owns the memory alive, and the memory must not change while the buffer lives. ``GpuFrame`` is one out
    of an array of torch, CuPy or anything else that speaks DLPack or ``__cuda_array_interface__``.

    Attributes:
        shape: ``(H, W, 3)``.
        dtype: uint8.
        device: Index of the GPU, as CUDA counts them.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[np.uint8] = np.dtype(np.uint8)
    device: int

    @abstractmethod
    def host(self) -> NDArray[np.uint8]:
        """The frame as a ``(H, W, 3)`` uint8 BGR array of the host; copied at the first call and kept.

        Raises:
            MachineError: The device's library is not installed, or the copy fails.
        """


def host_frame(frame: NDArray[np.uint8] | FrameBuffer) -> NDArray[np.uint8]:
    """A frame in host memory: itself when it lies there, else its copy; anything that is no frame as it is."""
    return frame.host() if isinstance(frame, FrameBuffer) else frame
