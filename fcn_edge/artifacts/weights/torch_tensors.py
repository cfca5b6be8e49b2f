"""Tensors in the placeholders of a torch pickle.

Names and arguments: torch/_utils.py (_rebuild_tensor and its relatives) and torch/storage.py of PyTorch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.elements import SIZES, read_elements
from fcn_edge.artifacts.weights.inert import Inert, Named, StorageName
from fcn_edge.artifacts.weights.numpy_values import array_of
from fcn_edge.artifacts.weights.tensors import StoredTensor
from fcn_edge.errors import CheckpointError

__all__ = ["IS_OF_TENSORS", "Storages", "numbers_of", "storage_type"]

_MOST_DIMENSIONS = 32
_LARGEST = 1 << 62
MOST_REPEATED = 16 << 20
"""Bytes of a tensor that may have more numbers than its storage, as expanded ones do."""

_TYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "UInt64": "uint64",
    "UInt32": "uint32",
    "UInt16": "uint16",
    "Untyped": "uint8",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "QInt8": "qint8",
    "QUInt8": "quint8",
    "QInt32": "qint32",
}
"""Types of the numbers, by the beginning of the storage's class."""

_AROUND = (
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_xla_tensor",
    "torch.nn.parameter.Parameter",
    "torch.autograd.variable.Variable",
)
"""What has a tensor as its first argument."""

MOST_WRAPPERS = 8

_STORAGE = re.compile(r"torch(?:\.cuda|\.storage)?\.([A-Za-z0-9]+)Storage")

IS_OF_TENSORS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch\.Size|torch\.device|torch\.Tensor"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)|torch\.autograd\.variable\.Variable|torch\.serialization\._get_layout|torch\.[a-z]+\d+(_\w+)?|torch\.bool"
    rf"|{_STORAGE.pattern}|collections\.(OrderedDict|defaultdict)|_codecs\.encode|copyreg\._reconstructor"
    r"|builtins\.(bytes|dict|float|int|list|object|set|str|tuple)"
    r"|numpy\.(dtype|ndarray|_?core\.multiarray\.(scalar|_reconstruct)|_?core\.numeric\._frombuffer)"
)
"""What plain tensors, numbers and their containers are made by."""


@dataclass(frozen=True)
class Storages:
    """Where the storages of a file lie.

    Attributes:
        path: The file.
        places: First byte and number of bytes of each storage, by its key.
        big_endian: The most significant byte of a number comes first.
    """

    path: Path
    places: Mapping[str, tuple[int, int]]
    big_endian: bool = False

    def tensor_of(self, value: Any) -> StoredTensor | None:
        """The tensor that a value of the pickle stands for; None where it stands for something else.

        Raises:
            DamagedError: It is a tensor that does not lie in its storage, or its storage is not in the file.
        """
        for _ in range(MOST_WRAPPERS):
            if not isinstance(value, Inert):
                return None
            match value.named, value.args:
                case ("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", args):
                    return self._view(args[:4], args[6:7])
                case ("torch._utils._rebuild_tensor_v3", args):
                    return self._view(args[:4], args[7:8], args[6:7])
                case (name, (inner, *_)) if name in _AROUND:
                    value = inner
                case ("torch._tensor._rebuild_from_type_v2", (Named() as function, _, tuple(args), *_)):
                    value = function(*args)
                case _:
                    array = array_of(value)
                    return None if array is None else StoredTensor(array.shape, array.dtype.name, array.copy)
        return None

    def _view(self, args: tuple[Any, ...], metadata: tuple[Any, ...], dtypes: tuple[Any, ...] = ()) -> StoredTensor:
        match args:
            case (StorageName() as storage, int(offset), size, stride):
                shape, strides = numbers_of(size), numbers_of(stride)
            case _:
                raise DamagedError("one of its tensors is damaged")
        if any(metadata):
            raise DamagedError("one of its tensors is kept negated or conjugated")
        if shape is None or strides is None or len(shape) != len(strides):
            raise DamagedError("one of its tensors is damaged")
        kept = storage_type(storage.type_name)
        dtype = kept
        if dtypes:
            dtype = dtypes[0].named.removeprefix("torch.") if isinstance(dtypes[0], Named) else ""
        if dtype not in SIZES:
            raise DamagedError("it holds numbers of a type that is not known")
        if storage.key not in self.places:
            raise DamagedError(f"its storage {shown(storage.key)} is missing")
        start, length = self.places[storage.key]
        step, stored = SIZES[dtype], SIZES[kept]
        first = storage.first * stored + offset * step
        end = storage.first * stored + storage.count * stored
        count = math.prod(shape)
        span = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) if count else 0
        if storage.first < 0 or offset < 0 or not first + span * step <= end <= length:
            raise DamagedError(f"one of its tensors is larger than its storage {shown(storage.key)}")
        at = start + first
        if count * step > max(storage.count * stored, MOST_REPEATED):
            return StoredTensor(shape, dtype, partial(_repeated, self.path))
        load = partial(read_elements, self.path, dtype, shape, at=at, strides=strides, big_endian=self.big_endian)
        return StoredTensor(shape, dtype, load)


def _repeated(path: Path) -> NoReturn:
    raise CheckpointError(
        f"{path} holds a tensor that repeats few numbers until they are many, as torch.Tensor.expand makes them.",
        "Save it as a tensor of its own: tensor.contiguous().",
    )


def storage_type(name: str) -> str:
    """Type of the numbers in a storage, by torch's name of the type, from the full name of the storage's class.

    Raises:
        DamagedError: It is no class of a storage.
    """
    match = _STORAGE.fullmatch(name)
    if match is None or match[1] not in _TYPES:
        raise DamagedError("it holds numbers of a type that is not known")
    return _TYPES[match[1]]


def numbers_of(value: Any) -> tuple[int, ...] | None:
    """A tuple of numbers that are not negative, or a torch.Size of them; None for everything else."""
    if isinstance(value, Inert) and value.named == "torch.Size" and len(value.args) == 1:
        value = value.args[0]
    if not isinstance(value, tuple | list) or len(value) > _MOST_DIMENSIONS:
        return None
    numbers = tuple(number for number in value if type(number) is int and 0 <= number <= _LARGEST)
    return numbers if len(numbers) == len(value) else None
