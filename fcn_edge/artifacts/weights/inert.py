"""Unpickling without running anything: whatever a pickle names becomes a placeholder of ours.

A pickle is a program that names classes and functions, calls them and gives the results a state. Here every name gives
a class of ours, made on the spot, that imports nothing and whose instances keep what they are called with, their state
and their items. What a checkpoint means by them is read from these afterwards: ``contents`` and ``values``.

Nothing that a pickle can reach can be changed by it: the only objects on its stack are placeholders, storages, and
Python's own plain values, and ``BUILD``, which sets attributes, finds a ``__setstate__`` of ours or no attributes.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.hostile import is_hostile

__all__ = ["HostilePickleError", "Inert", "Named", "StorageName", "Unpickler"]

MOST_NAMES = 2000
LONGEST_NAME = 500

# what pickles of protocol 2, which torch.save writes, call Python's modules: by their names in Python 2
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg", "exceptions": "builtins"}


class HostilePickleError(Exception):
    """A pickle names something that no checkpoint needs and that does harm when it is called.

    Args:
        name: Its full name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Named(type):
    """A class that stands for the class or function ``named``; what it is cannot be changed."""

    named: str

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise DamagedError("its pickle changes a class")

    def __delattr__(cls, name: str) -> NoReturn:
        raise DamagedError("its pickle changes a class")


class Inert:
    """What a call of a class or function gave, had it been made.

    Attributes:
        named: Full name of what was called.
        args: What it was called with, in order.
        state: What it was given as its state; None where it was not.
        pairs: Keys and values that were put into it, as into a dictionary.
        items: Values that were added to it, as to a list or a set.
    """

    __slots__ = ("args", "items", "pairs", "state")

    named = ""
    args: tuple[Any, ...]
    state: Any
    pairs: Sequence[tuple[Any, Any]]
    items: Sequence[Any]

    def __new__(cls, *args: Any, **options: Any) -> Inert:  # noqa: D102
        made = super().__new__(cls)
        made.args, made.state, made.pairs, made.items = args, None, tuple(options.items()), ()
        return made

    def __init__(self, *args: Any, **options: Any) -> None:
        """Takes anything, as the class that it stands for might."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        # a list only where there is something to keep: there may be millions of placeholders
        if not isinstance(self.pairs, list):
            self.pairs = list(self.pairs)
        self.pairs.append((key, value))

    def append(self, value: Any) -> None:
        """Keep a value."""
        self.extend((value,))

    add = append

    def extend(self, values: Iterable[Any]) -> None:
        """Keep values."""
        if not isinstance(self.items, list):
            self.items = []
        self.items.extend(values)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:  # noqa: D102
        raise DamagedError(f"its pickle calls what {shown(self.named)} gave, which no checkpoint does")


class StorageName:
    """Where a pickle says that the numbers of a tensor are.

    Attributes:
        key: Name of the storage.
        type_name: Full name of its class, which tells the type of the numbers.
        count: How many numbers it has.
        first: Which of the storage's numbers is its first, where it is a part of one.
    """

    __slots__ = ("count", "first", "key", "type_name")

    def __init__(self, key: str, type_name: str, count: int, first: int) -> None:
        self.key, self.type_name, self.count, self.first = key, type_name, count, first

    def __setstate__(self, state: Any) -> NoReturn:
        raise DamagedError("its pickle changes a storage")


class _Attribute:
    """Stands for ``getattr``, by which pickles of protocol 2 name a class inside another."""

    __slots__ = ("_unpickler",)

    def __init__(self, unpickler: Unpickler) -> None:
        self._unpickler = unpickler

    def __call__(self, owner: Any, name: Any, *_: Any) -> Any:
        if isinstance(owner, Inert) and isinstance(name, str) and name.isidentifier() and not name.startswith("_"):
            return None  # a method bound to an object, such as a hook: nobody calls it
        if not isinstance(owner, Named) or not isinstance(name, str) or not name.isidentifier():
            raise HostilePickleError("builtins.getattr")
        return self._unpickler.class_of(owner.named, name)

    def __setstate__(self, state: Any) -> NoReturn:
        raise DamagedError("its pickle changes a function")


class Unpickler(pickle.Unpickler):
    """Gives placeholders for everything that a pickle names.

    Args:
        content: The pickle, which ``opcodes.pickle_bytes`` has looked through.

    Attributes:
        names: Full name of everything that was named, and its placeholder.
        storages: Class of each storage that tensors were named in, by its key.
    """

    def __init__(self, content: bytes) -> None:
        # texts of Python 2 may be bytes of any kind
        super().__init__(io.BytesIO(content), encoding="latin1")
        self.names: dict[str, Named] = {}
        self.storages: dict[str, str] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """The placeholder of a class or function; nothing is imported.

        Raises:
            HostilePickleError: It does harm when it is called.
        """
        module = _RENAMED.get(module, module)
        return _Attribute(self) if (module, name) == ("builtins", "getattr") else self.class_of(module, name)

    def class_of(self, module: str, name: str) -> Named:
        """The placeholder of a class or function under its name in Python 3.

        Raises:
            DamagedError: There are too many.
            HostilePickleError: It does harm when it is called.
        """
        full_name = f"{module}.{name}"
        if is_hostile(module, name):
            raise HostilePickleError(full_name)
        if full_name not in self.names:
            if len(self.names) >= MOST_NAMES or len(full_name) > LONGEST_NAME:
                raise DamagedError("its pickle names too many classes, or one too long")
            self.names[full_name] = Named("Inert", (Inert,), {"__slots__": (), "named": full_name})
        return self.names[full_name]

    def persistent_load(self, pid: Any, /) -> Any:
        """The storage, or the class beside its source code, that a persistent id names."""
        first = 0
        match pid:
            case ("module", Named() as named, *_):
                return named
            case ("storage", Named() as named, str(key), _, int(count)):
                pass
            case ("storage", Named() as named, str(key), _, int(count), None):
                pass
            case ("storage", Named() as named, str(key), _, int(), (_, int(first), int(count))):
                pass
            case _:
                raise DamagedError("its pickle refers to what no checkpoint has")
        if self.storages.setdefault(key, named.named) != named.named:
            raise DamagedError(f"its storage {shown(key)} is of two types")
        return StorageName(key, named.named, count, first)

    def value(self) -> Any:
        """What the pickle holds, made of placeholders and plain values.

        Raises:
            DamagedError: It is damaged.
            HostilePickleError: It names something that does harm when it is called.
        """
        try:
            return self.load()
        except (DamagedError, HostilePickleError):
            raise
        except Exception as error:
            # as the documentation of pickle says, any exception may come out of a damaged one
            raise DamagedError("its pickle is damaged") from error
