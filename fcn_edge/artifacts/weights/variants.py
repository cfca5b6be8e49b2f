"""The same weights under the keys that other programs give them: wrappers put prefixes in front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights

__all__ = ["variants"]

WRAPPERS = ("module.", "_orig_mod.")
"""What torch.nn.DataParallel and torch.compile put around a network, or around a part of one."""

PREFIXES = (*WRAPPERS, "model.", "net.", "network.", "backbone.", "encoder.")
MOST_VARIANTS = 64


def variants(weights: Weights) -> Iterator[Weights]:
    """The weights as they are, without wrappers anywhere in their keys, then without prefixes in any nesting.

    Keys without a prefix that is stripped are left out: ``backbone.`` gives the backbone alone. Each set of keys comes
    once, those with fewer prefixes stripped first, 64 at most.
    """
    waiting = [weights]
    bare = _without_wrappers(weights)
    if bare is not None:
        waiting.append(bare)
    seen: set[frozenset[str]] = set()
    while waiting and len(seen) < MOST_VARIANTS:
        variant = waiting.pop(0)
        keys = frozenset(variant.tensors)
        if not keys or keys in seen:
            continue
        seen.add(keys)
        yield variant
        for prefix in PREFIXES:
            tensors = {
                key[len(prefix) :]: tensor
                for key, tensor in variant.tensors.items()
                if key.startswith(prefix) and key != prefix
            }
            if tensors:
                waiting.append(replace(variant, tensors=tensors, prefix=variant.prefix + prefix))


def _without_wrappers(weights: Weights) -> Weights | None:
    """Weights without any wrapper in their keys, as in ``features.module.0.weight``; None where there is none."""
    tensors: dict[str, StoredTensor] = {}
    removed: set[str] = set()
    for key, tensor in weights.tensors.items():
        parts = key.split(".")
        kept = [part for part in parts[:-1] if f"{part}." not in WRAPPERS]
        removed.update(f"{part}." for part in parts[:-1] if f"{part}." in WRAPPERS)
        tensors[".".join((*kept, parts[-1]))] = tensor
    if not removed or len(tensors) < len(weights.tensors):
        return None
    return replace(weights, tensors=tensors, prefix="".join(sorted(removed)))
