"""What the page says of the model."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import Self

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.runtime.segmenter import Segmenter

__all__ = ["ModelFacts"]


@dataclass(frozen=True)
class ModelFacts:
    """A model that runs.

    Attributes:
        spec: What it is: name, networks, precision, class names, palette, void.
        size: ``(height, width)`` of the network's input.
        backend: Name of the backend that runs it.
    """

    spec: ModelSpec
    size: Size
    backend: str

    @classmethod
    def of(cls, segmenter: Segmenter) -> Self:
        """The facts of a loaded model."""
        return cls(segmenter.spec, segmenter.size, segmenter.backend)
