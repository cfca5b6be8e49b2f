"""The same weights under the keys that other programs give them: wrappers put prefixes in front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights

__all__ = ["variants"]

WRAPPERS = ("module.", "_orig_mod.")
"""What torch.nn.DataParallel and torch.compile put around a network, or around a part of one."""

PREFIXES = (*WRAPPERS, "model.", "net.", "network.", "backbone.", "encoder.")
MOST_VARIANTS = 64
MOST_KEYS = 200_000
"""Of all variants together; networks have some hundred."""
FEWEST_SHARED = 8
"""Tensors behind a part of the keys that is taken for a prefix: a layer has fewer, a network more."""


def variants(weights: Weights) -> Iterator[Weights]:
    """The weights as they are, without wrappers anywhere in their keys, then without prefixes in any nesting.

    Known prefixes are stripped, and whatever most keys begin with. Keys without a prefix that is stripped are left out:
    ``backbone.`` gives the backbone alone. Each choice of tensors
    comes once, those with fewer prefixes stripped first, 64 at most.
    """
    waiting = [weights]
    bare = _without_wrappers(weights)
    if bare is not None:
        waiting.append(bare)
    seen: set[frozenset[tuple[str, int]]] = set()
    looked_at = 0
    while waiting and len(seen) < MOST_VARIANTS and looked_at <= MOST_KEYS:
        variant = waiting.pop(0)
        looked_at += len(variant.tensors)
        keys = frozenset((key, id(tensor)) for key, tensor in variant.tensors.items())
        if not keys or keys in seen:
            continue
        seen.add(keys)
        yield variant
        for prefix in (*PREFIXES, *_shared_by_most(variant)):
            tensors = {
                key[len(prefix) :]: tensor
                for key, tensor in variant.tensors.items()
                if key.startswith(prefix) and key != prefix
            }
            if tensors:
                waiting.append(replace(variant, tensors=tensors, prefix=variant.prefix + prefix))


def _shared_by_most(weights: Weights) -> tuple[str, ...]:
    """The first part of the keys of most tensors: whatever a program calls the network that it trains."""
    first, count = Counter(key.partition(".")[0] for key in weights.tensors).most_common(1)[0]
    shared = count >= FEWEST_SHARED and 2 * count > len(weights.tensors) and f"{first}." not in PREFIXES
    return (f"{first}.",) if shared else ()


def _without_wrappers(weights: Weights) -> Weights | None:
    """Weights without any wrapper in their keys, as in ``features.module.0.weight``; None where there is none."""
    tensors: dict[str, StoredTensor] = {}
    removed: dict[str, None] = {}
    for key, tensor in weights.tensors.items():
        *parts, name = key.split(".")
        removed |= {f"{part}.": None for part in parts if f"{part}." in WRAPPERS}
        tensors[".".join((*(part for part in parts if f"{part}." not in WRAPPERS), name))] = tensor
    if not removed or len(tensors) < len(weights.tensors) or "" in tensors:
        return None
    return replace(weights, tensors=tensors, prefix="".join(removed))
