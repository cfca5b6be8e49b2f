"""Where in a checkpoint the weights are: its own value, under a name that many use, or in a pickled network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.inert import Inert
from fcn_edge.artifacts.weights.tensors import StoredTensor
from fcn_edge.artifacts.weights.torch_tensors import Storages
from fcn_edge.artifacts.weights.values import attribute_of, mapping_of, plain_fields

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
"""Keys that state dicts are under, those taken first coming first; averages come last.

torchvision's ``model`` goes before its ``model_ema``; of ``state_dict`` and ``ema_state_dict`` of mmengine, the first
has the averages: ``mmengine/hooks/ema_hook.py`` says that the original parameters are saved as the second.
"""

AVERAGES = frozenset("averaged average avg ema shadow swa teacher".split())  # noqa: SIM905
"""Words in the names of networks that others are averaged to."""

NOTHING = "it holds no state_dict: a dictionary of tensors was expected"
WHOLE_MODULE = "whole module"
MOST_TENSORS = 100_000
MOST_LOOKS = 4_000_000
MOST_LOOKS_ELSEWHERE = 400_000
MOST_BUFFERS = 1000
LONGEST_KEY = 1000
DEEPEST = 3
"""Dictionaries inside each other that are looked into, the outermost counted."""


@dataclass(frozen=True)
class Contents:
    """What was found in the value of a pickle.

    Attributes:
        tensors: The weights, by key.
        fields: Plain values beside them.
        wrapper: Keys that lead to them.
        elsewhere: Other tensors of the value, by the keys that lead to them; none where there are too many things.
    """

    tensors: dict[str, StoredTensor]
    fields: dict[str, Any]
    wrapper: str
    elsewhere: dict[str, StoredTensor]


def contents_of(value: Any, storages: Storages) -> Contents:
    """The weights in the value of a checkpoint's pickle, and what is beside them.

    The value may be a list or tuple that holds one network and other things, such as a state_dict and an epoch.

    Raises:
        DamagedError: There are none, or they are damaged, or the value is a list of several networks.
    """
    search = _Search(storages)
    if isinstance(value, list | tuple):
        place, value = search.only_network(value)
        contents = contents_of(value, storages)
        return replace(contents, wrapper=".".join((str(place), contents.wrapper)).removesuffix("."))
    found = search.named(value, DEEPEST) or search.largest(value, DEEPEST)
    if found is None:
        raise DamagedError(NOTHING)
    wrapper, tensors = found
    taken = {wrapper, wrapper.split(".")[0]} if wrapper else tensors.keys()
    beside = {key: item for key, item in (mapping_of(value) or {}).items() if key not in taken}
    fields = plain_fields(beside)
    if isinstance(value, Inert) and wrapper == WHOLE_MODULE:
        fields["class"] = value.named
    try:
        elsewhere = _Search(storages, MOST_LOOKS_ELSEWHERE).elsewhere(value, wrapper, DEEPEST)
    except DamagedError:
        # what is not taken may be damaged
        elsewhere = {}
    return Contents(tensors, fields, wrapper, elsewhere)


Found = tuple[str, dict[str, StoredTensor]]


class _Search:
    """Looks for tensors until too many things were looked at: a pickle may hold one thing in many places."""

    def __init__(self, storages: Storages, looks: int = MOST_LOOKS) -> None:
        self._storages = storages
        self._left = looks

    def named(self, value: Any, depth: int) -> Found | None:
        """The weights of a network, under one of the usual names, or in the value itself; the first of these."""
        if _is_module(value):
            tensors = self._module(value)
            return (WHOLE_MODULE, tensors) if tensors else None
        mapping = self._mapping(value)
        for name in NAMES if mapping and depth > 1 else ():
            found = self.named(mapping[name], depth - 1) if name in mapping else None
            if found is not None:
                return _under(name, found)
        tensors = self._tensors(mapping)
        others = [item for key, item in mapping.items() if key not in tensors]
        if not tensors or any(_is_module(item) or self._mapping(item) for item in others):
            return None
        return "", tensors

    def largest(self, value: Any, depth: int) -> Found | None:
        """The network or the dictionary with the most tensors among those in a dictionary.

        An average goes behind what has at least half as many; of equal ones, the first by name is taken, not the first
        in the file.
        """
        if _is_module(value):
            return self.named(value, depth)
        mapping = self._mapping(value)
        tensors = self._tensors(mapping)
        best: Found | None = ("", tensors) if tensors else None
        for key in sorted(key for key in mapping if isinstance(key, str)) if depth > 1 else ():
            found = self.largest(mapping[key], depth - 1)
            if found is not None and (best is None or _goes_before(_under(key, found), best)):
                best = _under(key, found)
        return best

    def only_network(self, values: Sequence[Any]) -> tuple[int, Any]:
        """The place and the value of the one network in a list: what has a tensor of two dimensions or more.

        Raises:
            DamagedError: There is none, or there are several.
        """
        found = []
        for place, value in enumerate(values):
            self._left -= 1
            network = self.named(value, DEEPEST) or self.largest(value, DEEPEST)
            if network is not None and any(len(tensor.shape) > 1 for tensor in network[1].values()):
                found.append((place, value))
        if len(found) == 1:
            return found[0]
        if not found:
            raise DamagedError(NOTHING)
        raise DamagedError(f"it is a list of {len(found)} state_dicts: one dictionary of tensors was expected")

    def elsewhere(self, value: Any, taken: str, depth: int, path: str = "") -> dict[str, StoredTensor]:
        """Tensors that are not under the keys that are taken, by the keys that lead to them."""
        if taken == WHOLE_MODULE:
            return {}
        if _is_module(value):
            tensors = {} if path == taken else self._module(value)
            mapping = {}
        else:
            mapping = self._mapping(value)
            tensors = {} if path == taken else self._tensors(mapping)
        # keys are made anew for each place of a thing
        found = {f"{path}.{key}" if path else key: each for key, each in tensors.items() if len(key) <= LONGEST_KEY}
        for key, item in mapping.items() if depth > 1 else ():
            if isinstance(key, str) and len(key) <= LONGEST_KEY:
                found |= self.elsewhere(item, taken, depth - 1, f"{path}.{key}" if path else key)
        return found

    def _mapping(self, value: Any) -> dict[Any, Any]:
        """What a dictionary holds; empty for everything else."""
        mapping = mapping_of(value) or {}
        self._left -= 1 + len(mapping)
        if self._left < 0:
            raise DamagedError("it holds too many things")
        return mapping

    def _tensors(self, mapping: dict[Any, Any]) -> dict[str, StoredTensor]:
        self._left -= len(mapping)
        tensors = {}
        for key, value in mapping.items():
            tensor = self._storages.tensor_of(value) if isinstance(key, str) else None
            if tensor is not None:
                tensors[key] = tensor
        if len(tensors) > MOST_TENSORS:
            raise DamagedError("it holds too many tensors")
        return tensors

    def _module(self, module: Any) -> dict[str, StoredTensor]:
        """What ``state_dict`` of a network would give: parameters, then buffers that persist, then those inside it."""
        found: dict[str, StoredTensor] = {}
        waiting: list[tuple[str, Any]] = [("", module)]
        while waiting:
            prefix, current = waiting.pop()
            for name, tensor in self._tensors(self._mapping(attribute_of(current, "_parameters"))).items():
                found[prefix + name] = tensor
            left_out = _names_in(attribute_of(current, "_non_persistent_buffers_set"))
            for name, tensor in self._tensors(self._mapping(attribute_of(current, "_buffers"))).items():
                if name not in left_out:
                    found[prefix + name] = tensor
            inside = self._mapping(attribute_of(current, "_modules")).items()
            waiting.extend(
                (f"{prefix}{name}.", child)
                for name, child in reversed(inside)
                if isinstance(name, str) and _is_module(child)
            )
            if len(found) > MOST_TENSORS or len(prefix) > LONGEST_KEY:
                raise DamagedError("its network is nested too deeply")
        return found


def _goes_before(one: Found, other: Found) -> bool:
    """Whether something found is taken rather than what was found under an earlier name."""
    words = [re.split("[^a-z]+", wrapper[:LONGEST_KEY].lower()) for wrapper, _ in (one, other)]
    averaged = [not AVERAGES.isdisjoint(each) for each in words]
    few, many = sorted((len(one[1]), len(other[1])))
    if averaged[0] != averaged[1] and 2 * few >= many:
        return averaged[1]
    return len(one[1]) > len(other[1])


def _under(name: str, found: Found) -> Found:
    """What was found under a name of a dictionary."""
    wrapper, tensors = found
    return (name if wrapper in ("", WHOLE_MODULE) else f"{name}.{wrapper}"), tensors


def _is_module(value: Any) -> bool:
    return attribute_of(value, "_parameters") is not None and attribute_of(value, "_modules") is not None


def _names_in(value: Any) -> frozenset[str]:
    """The texts of a set, few as they are."""
    if isinstance(value, Inert) and value.args:
        value = value.args[0]
    few = isinstance(value, list | tuple | set) and len(value) <= MOST_BUFFERS
    return frozenset(name for name in value if isinstance(name, str)) if few else frozenset()
