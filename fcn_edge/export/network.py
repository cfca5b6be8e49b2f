"""A trained network as an export takes it, whoever trained it and whatever library it is written in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from typing_extensions import Self

from fcn_edge.artifacts.spec import ModelSpec, Size

__all__ = ["Image", "TrainedNetwork"]

Image = NDArray[np.uint8]


class TrainedNetwork(ABC):
    """A trained network, with what an exported file has to say of it and what it is compared with.

    Attributes:
        spec: What it is; an export may give it other names, colors, sizes and another resize policy.
        notes: What its user should know of the import, one sentence each.
        tools: Packages that make its graph, whose versions are written down.
        only_size: ``(height, width)`` of the only images that it takes; None where it takes others too.
    """

    spec: ModelSpec
    notes: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("onnx",)
    only_size: Size | None = None

    @abstractmethod
    def graph(self) -> ModelProto:
        """The network as an ONNX graph, without spec and head.

        Input ``image``: ``(height, width, 3)`` uint8 BGR. Output ``scores``: ``(classes, *spec.grid_size((height,
        width)))`` float32. Height and width are open where the network takes more than one size.

        Raises:
            ModelError: The installed PyTorch gives a graph with operators that are not expected.
        """

    @abstractmethod
    def scores(self, image: Image) -> NDArray[np.float32]:
        """What the graph's scores are compared with: the network's own, in the library that it comes from.

        Args:
            image: ``(height, width, 3)`` uint8 BGR, of a size that the network takes.

        Returns:
            ``(classes, *spec.grid_size((height, width)))`` float32.
        """

    @abstractmethod
    def labels(self, image: Image) -> NDArray[np.uint8]:
        """The mask that its authors' own last layers give.

        Args:
            image: ``(height, width, 3)`` uint8 BGR, of a size that the network takes.

        Returns:
            ``(height, width)`` uint8 class ids.
        """

    def scores_and_labels(self, image: Image) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Both of one image; a network that computes the one from the other does so once."""
        return self.scores(image), self.labels(image)

    def with_spec(self, **changes: Any) -> Self:
        """The same network, called and fed otherwise.

        Raises:
            SpecError: The changed spec is not valid.
        """
        import copy

        other = copy.copy(self)
        other.spec = self.spec.replace(**changes)
        return other
