"""Which further networks a weights file holds: averages of the one that is taken, a teacher, the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights
from fcn_edge.artifacts.weights.variants import WRAPPERS

__all__ = ["not_taken"]

DEEPEST = 8
"""Parts of a key that are looked at for the name of a network."""

MOST_NAMED = 3


def not_taken(taken: Weights, whole: Weights) -> tuple[str, ...]:
    """What to say of further networks in a file; nothing where there is none.

    A further network has half of the tensors of the one that is taken, or more, with their names and shapes, and other
    numbers: averages may lack the buffers.

    Args:
        taken: The one of the variants of the file's weights that is taken.
        whole: The file's weights.
    """
    names = _others(taken, whole)
    if not names:
        return ()
    if len(names) == 1:
        return (f"It also holds {shown(names[0])}, of the same layers, which was not taken: save it alone to take it.",)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    listed = ", ".join(map(shown, names[:MOST_NAMED])) + more
    return (f"It also holds {listed}, of the same layers, which were not taken: save one alone to take it.",)


def _others(taken: Weights, whole: Weights) -> list[str]:
    own = {_bare(key): tensor for key, tensor in taken.tensors.items()}
    ids = {id(tensor) for tensor in taken.tensors.values()}
    left: Mapping[str, StoredTensor] = {
        key: tensor for key, tensor in (*whole.tensors.items(), *whole.elsewhere.items()) if id(tensor) not in ids
    }
    shared: Counter[str] = Counter()
    for key, tensor in left.items():
        *parts, rest = _bare(key).split(".", DEEPEST)
        for count in range(1, len(parts) + 1):
            same = own.get(".".join((*parts[count:], rest)))
            if same is not None and same.shape == tensor.shape and _place(same) != _place(tensor):
                shared[".".join(parts[:count])] += 1
    found = [name for name, count in shared.items() if 2 * count >= len(own)]
    # what was taken off the keys of the one is no part of the other's name: ``model`` beside ``ema.model``
    behind = "." + _bare(f"{taken.prefix}x").removesuffix("x").removesuffix(".")
    return sorted({name.removesuffix(behind) if behind != "." else name for name in found})


def _bare(key: str) -> str:
    """A key without what DataParallel and torch.compile put into it."""
    *parts, name = key.split(".")
    return ".".join((*(part for part in parts if f"{part}." not in WRAPPERS), name))


def _place(tensor: StoredTensor) -> Any:
    """What tells where a tensor's numbers lie: the same ones may be in a file under two names."""
    load = tensor.load
    return (load.args, load.keywords) if isinstance(load, partial) else id(load)
