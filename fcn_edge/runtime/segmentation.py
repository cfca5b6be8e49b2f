"""The mask of one frame, and what people do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.base import Timing
from fcn_edge.backends.frame_buffer import FrameBuffer, host_frame
from fcn_edge.io.opencv import cv2
from fcn_edge.ops.overlay import colored, legend, overlay, palette_bgr

__all__ = ["Segmentation", "class_shares"]

_NAMED_CLASSES = 3


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation:
    """The mask of one frame.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR, as it was given: in host memory or a ``FrameBuffer``.
        labels: ``(H, W)`` uint8 class ids in the frame's own pixels; the spec's void where the network saw nothing.
        spec: What the model is: class names, palette, void.
        timing: Nanoseconds spent in each stage.
        confidence: ``(H, W)`` float32, the probability of each label (0 to 1), where it was asked for.
    """

    image: NDArray[np.uint8] | FrameBuffer
    labels: NDArray[np.uint8]
    spec: ModelSpec
    timing: Timing
    confidence: NDArray[np.float32] | None = None

    @property
    def frame(self) -> NDArray[np.uint8]:
        """The frame in host memory, ``(H, W, 3)`` uint8 BGR; one that lies on a GPU is downloaded when first asked for.

        Raises:
            MachineError: The GPU's library is not installed, or the copy fails.
        """
        return host_frame(self.image)

    def overlay(self, alpha: float = 0.5, legend: bool = False) -> NDArray[np.uint8]:
        """The class colors blended over the frame.

        Args:
            alpha: Share of the class color, 0 (the frame) to 1 (the colors).
            legend: Draw the names, colors and shares of the classes that are there.

        Returns:
            ``(H, W, 3)`` uint8 BGR, a new image; void pixels keep the frame's color.

        Raises:
            UsageError: ``alpha`` is not in 0 to 1.
        """
        image = overlay(self.frame, self.labels, palette_bgr(self.spec.palette), alpha, self.spec.void)
        return self._with_legend(image) if legend else image

    def colored(self, legend: bool = False) -> NDArray[np.uint8]:
        """The mask in the colors of its classes, ``(H, W, 3)`` uint8 BGR; void is black.

        Args:
            legend: Draw the names, colors and shares of the classes that are there.
        """
        image = colored(self.labels, palette_bgr(self.spec.palette))
        return self._with_legend(image) if legend else image

    def shares(self) -> dict[str, float]:
        """Share of all pixels of the frame by class name, as fractions of 1; void is not a class."""
        return class_shares(self.labels, self.spec.classes)

    @property
    def void_share(self) -> float:
        """Share of the pixels that have no class: outside of what the network saw, or unknown."""
        return float(np.count_nonzero(self.labels == self.spec.void)) / self.labels.size

    def __repr__(self) -> str:
        height, width = self.labels.shape
        largest = sorted(self.shares().items(), key=lambda share: -share[1])[:_NAMED_CLASSES]
        named = ", ".join(f"{name} {share:.1%}" for name, share in largest if share)
        return f"Segmentation({height}x{width}: {named or 'void'}; {self.timing.total / 1e6:.1f} ms)"

    def _with_legend(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return legend(image, self.spec.classes, palette_bgr(self.spec.palette), list(self.shares().values()))


def class_shares(labels: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, float]:
    """Share of all pixels by class name, as fractions of 1.

    Args:
        labels: ``(H, W)`` uint8 class ids.
        classes: Names of the classes, by id.
    """
    # in less than half of bincount's time, which makes 8 bytes of every label first
    counts = cv2().calcHist([labels], [0], None, [256], [0, 256]).ravel()
    return {name: float(counts[index]) / labels.size for index, name in enumerate(classes)}
