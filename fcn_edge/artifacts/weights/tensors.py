"""What a weights file holds: tensors that are read when asked for, and the plain values beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kind", "StoredTensor", "Weights"]

Kind = Literal["zip", "legacy", "safetensors", "npz", "caffemodel"]


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a weights file, whose numbers stay in the file until ``array`` is called.

    Attributes:
        shape: Its dimensions.
        dtype: Type of its elements in the file, by torch's name, such as ``float32`` or ``bfloat16``.
        load: Reads its numbers as they are in the file: an array of its shape; raises CheckpointError.
    """

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], NDArray[Any]] = field(repr=False, compare=False)

    def array(self) -> NDArray[Any]:
        """Its numbers, C-contiguous: float32 for every floating type, integers and booleans as they are.

        Raises:
            CheckpointError: The file is gone or was cut off since, or holds a type that is no number of NumPy's.
        """
        array = self.load()
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, which who fills a network sees
                return np.asarray(array, np.float32, order="C")
        return np.asarray(array, array.dtype.newbyteorder("="), order="C")


@dataclass(frozen=True)
class Weights:
    """The tensors of a weights file and what stands beside them.

    Attributes:
        path: The file.
        kind: Its format: ``zip`` and ``legacy`` are what ``torch.save`` writes since version 1.6 and wrote before.
        tensors: By key, in the file's order.
        fields: Plain values beside the tensors, such as ``epoch``, ``arch``, ``args`` or ``meta``: None, booleans,
            numbers, texts, lists and dictionaries of them. An object is the dictionary of its attributes, or the name
            of its class where it has none. Long values are cut off. The metadata of a safetensors file.
        globals: Full names of the classes and functions that the file's pickle names, those of tensors left out. None
            of them was imported or called.
        wrapper: The keys that lead to the tensors, with dots between them, such as ``state_dict``, places in a list
            among them; ``whole module`` for a pickled network; empty where the file is nothing but tensors.
        prefix: What ``variants`` took off the keys.
        elsewhere: Tensors under other keys than ``wrapper``, by all the keys that lead to them, with dots between them.
    """

    path: Path
    kind: Kind
    tensors: Mapping[str, StoredTensor]
    fields: Mapping[str, Any]
    globals: frozenset[str]
    wrapper: str
    prefix: str = ""
    elsewhere: Mapping[str, StoredTensor] = field(default_factory=dict)
