"""Where in a checkpoint the weights are: its own value, under a name that many use, or in a pickled network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.inert import Inert
from fcn_edge.artifacts.weights.tensors import StoredTensor
from fcn_edge.artifacts.weights.torch_tensors import Storages
from fcn_edge.artifacts.weights.values import attributes_of, mapping_of, plain_fields

__all__ = ["Contents", "contents_of"]

NAMES = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "module",
    "params",
    "ema",
    "model_ema",
)
"""Keys that state dicts are under, those taken first coming first; averages are taken where there is nothing else."""

WHOLE_MODULE = "whole module"
MOST_TENSORS = 100_000
DEEPEST_MODULE = 64


@dataclass(frozen=True)
class Contents:
    """What was found in the value of a pickle.

    Attributes:
        tensors: The weights, by key.
        fields: Plain values beside them.
        wrapper: Keys that lead to them.
    """

    tensors: dict[str, StoredTensor]
    fields: dict[str, Any]
    wrapper: str


def contents_of(value: Any, storages: Storages) -> Contents:
    """The weights in the value of a checkpoint's pickle, and what is beside them.

    Raises:
        DamagedError: There are none, or they are damaged.
    """
    search = _Search(storages)
    found = search.named(value, 3) or search.largest(value)
    if found is None:
        raise DamagedError("it holds no state_dict: a dictionary of tensors was expected")
    wrapper, tensors = found
    beside = mapping_of(value) or {}
    if tensors.keys() & beside.keys():
        beside = {key: item for key, item in beside.items() if key not in tensors}
    elif wrapper:
        beside = {key: item for key, item in beside.items() if key != wrapper.split(".")[0]}
    fields = plain_fields(beside)
    if isinstance(value, Inert) and wrapper == WHOLE_MODULE:
        fields["class"] = value.named
    return Contents(tensors, fields, wrapper)


Found = tuple[str, dict[str, StoredTensor]]


class _Search:
    def __init__(self, storages: Storages) -> None:
        self._storages = storages

    def named(self, value: Any, depth: int) -> Found | None:
        """The weights of a network, under one of the usual names, or in the value itself; the first of these."""
        if _is_module(value):
            tensors = dict(self._module(value))
            return (WHOLE_MODULE, tensors) if tensors else None
        mapping = mapping_of(value)
        if mapping is None:
            return None
        for name in NAMES if depth > 1 else ():
            found = self.named(mapping[name], depth - 1) if name in mapping else None
            if found is not None:
                wrapper, tensors = found
                return (name if wrapper in ("", WHOLE_MODULE) else f"{name}.{wrapper}"), tensors
        tensors = self._tensors(mapping)
        return ("", tensors) if tensors and _is_mostly(tensors, mapping) else None

    def largest(self, value: Any) -> Found | None:
        """The dictionary with the most tensors among those in a dictionary, two deep."""
        best: Found | None = None
        for wrapper, mapping in _mappings(value):
            tensors = self._tensors(mapping)
            if tensors and (best is None or len(tensors) > len(best[1])):
                best = wrapper, tensors
        return best

    def _tensors(self, mapping: dict[Any, Any]) -> dict[str, StoredTensor]:
        tensors = {}
        for key, value in mapping.items():
            tensor = self._storages.tensor_of(value) if isinstance(key, str) else None
            if tensor is not None:
                tensors[key] = tensor
            if len(tensors) > MOST_TENSORS:
                raise DamagedError("it holds too many tensors")
        return tensors

    def _module(self, module: Any) -> Iterator[tuple[str, StoredTensor]]:
        """What ``state_dict`` of a network would give: parameters, then buffers that persist, then those inside it."""
        waiting: list[tuple[str, Any, int]] = [("", module, DEEPEST_MODULE)]
        visited = 0
        while waiting:
            prefix, current, depth = waiting.pop()
            visited += 1
            if depth == 0 or visited > MOST_TENSORS:
                raise DamagedError("its network is nested too deeply")
            attributes = attributes_of(current)
            left_out = _names_in(attributes.get("_non_persistent_buffers_set"))
            for kind in ("_parameters", "_buffers"):
                for name, tensor in self._tensors(mapping_of(attributes.get(kind)) or {}).items():
                    if kind == "_parameters" or name not in left_out:
                        visited += 1
                        yield prefix + name, tensor
            inner = mapping_of(attributes.get("_modules")) or {}
            waiting.extend(
                (f"{prefix}{name}.", child, depth - 1)
                for name, child in reversed(inner.items())
                if isinstance(name, str) and _is_module(child)
            )
            if len(waiting) > MOST_TENSORS:
                raise DamagedError("its network is nested too deeply")


def _is_module(value: Any) -> bool:
    return isinstance(value, Inert) and {"_parameters", "_modules"} <= attributes_of(value).keys()


def _is_mostly(tensors: dict[str, StoredTensor], mapping: dict[Any, Any]) -> bool:
    """Whether a dictionary is one of tensors, and not one that holds a tensor or two beside other things."""
    return len(tensors) * 2 > len(mapping)


def _mappings(value: Any) -> Iterator[tuple[str, dict[Any, Any]]]:
    """A dictionary and those inside it, two deep, with the keys that lead there."""
    mapping = mapping_of(value)
    if mapping is None:
        return
    yield "", mapping
    for key, item in mapping.items():
        inner = mapping_of(item)
        if inner is not None and isinstance(key, str):
            yield key, inner
            for name, deeper in inner.items():
                deepest = mapping_of(deeper)
                if deepest is not None and isinstance(name, str):
                    yield f"{key}.{name}", deepest


def _names_in(value: Any) -> set[str]:
    """The texts of a set."""
    if isinstance(value, Inert) and value.args:
        value = value.args[0]
    return {name for name in value if isinstance(name, str)} if isinstance(value, list | tuple | set) else set()
