"""The parameters of the kernels in a CUDA source, read from its text."""

from __future__ import annotations

import re

__all__ = ["parameters_of"]

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


def parameters_of(source: str) -> dict[str, tuple[str, ...]]:
    """NumPy type names of the parameters of each ``extern "C"`` kernel, by entry name; pointers are ``uint64``.

    Raises:
        KeyError: A parameter is of a type that no launch of fcn_edge passes.
    """
    plain = _COMMENT.sub(" ", source)
    return {
        entry: tuple(_type_of(parameter) for parameter in parameters.split(",") if parameter.strip())
        for entry, parameters in _KERNEL.findall(plain)
    }


def _type_of(parameter: str) -> str:
    if "*" in parameter:
        return "uint64"
    words = [word for word in parameter.split() if word != "const"]
    return _SCALARS[" ".join(words[:-1])]
