"""The parameters of the kernels in a CUDA source, read from its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Parameter", "parameters_of"]

_KERNEL = re.compile(
    r"extern\s+\"C\"\s+__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?void\s+"
    r"(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)"
)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

_SCALARS = {
    "int": "int32",
    "int32_t": "int32",
    "unsigned": "uint32",
    "unsigned int": "uint32",
    "uint32_t": "uint32",
    "unsigned char": "uint8",
    "uint8_t": "uint8",
    "long long": "int64",
    "int64_t": "int64",
    "size_t": "uint64",
    "float": "float32",
    "double": "float64",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kernel.

    Attributes:
        kind: Name of its NumPy type; ``uint64`` of a pointer.
        pointer: It is one.
        read_only: It is a pointer to ``const``: the kernel writes nothing behind it.
    """

    kind: str
    pointer: bool = False
    read_only: bool = False


def parameters_of(source: str) -> dict[str, tuple[Parameter, ...]]:
    """The parameters of each ``extern "C"`` kernel, by entry name.

    Raises:
        KeyError: A parameter is of a type that no launch of fcn_edge passes.
    """
    plain = _COMMENT.sub(" ", source)
    return {
        entry: tuple(_parameter(one) for one in parameters.split(",") if one.strip())
        for entry, parameters in _KERNEL.findall(plain)
    }


def _parameter(text: str) -> Parameter:
    pointee, star, _ = text.partition("*")
    if star:
        return Parameter("uint64", pointer=True, read_only="const" in pointee.split())
    words = [word for word in text.split() if word != "const"]
    return Parameter(_SCALARS[" ".join(words[:-1])])
