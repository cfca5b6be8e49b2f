"""A TensorRT that is not there: a module made of the names and signatures of a real version's Python binding.

It has what that version has and nothing else, so that code which touches another name, or gives a call arguments that
it does not take, fails as it would there. What the calls do is up to the test.
"""

from __future__ import annotations

import inspect
import mmap
import re
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

Api = Mapping[str, Any]
"""For each class the keys ``members``, ``enum`` and ``signatures``; and ``__version__``."""

_SIGNATURE = re.compile(r"\w+\(self: [\w.]+(?:, (?P<parameters>.*))?\) -> (?P<result>.+)")
_UNREGISTERED = {"nvonnxparser::IParserError": "trt.ParserError", "nvinfer1::IRuntimeCache": "trt.IRuntimeCache"}
"""Classes that the bindings name as C++ does, where a signature was made before they were."""
_PLAIN: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "typing.SupportsInt": (int,),
    "buffer": (bytes, mmap.mmap),
    "typing_extensions.Buffer": (bytes, mmap.mmap),
    "trt.Dims": (tuple, list),
}
_RESULTS: dict[str, Any] = {"str": "", "bool": True, "int": 0}


class Touched(set[tuple[str, str]]):
    """The class and the member of every attribute that was asked for, there or not."""


def standin(api: Api, does: Mapping[str, Any] | None = None, touched: Touched | None = None) -> ModuleType:
    """A module with the names of a version.

    Args:
        api: Names and signatures of the version.
        does: What calls do, by ``Class.method``: a function of the object and the arguments; and the value that
            properties have at first, by ``Class.property``. Calls that are not named make an object of the class
            that their signature promises.
        touched: Filled with what is asked for.
    """
    made = _Module("tensorrt_rtx" if "ComputeCapability" in api else "tensorrt")
    made.__dict__.update(__version__=api["__version__"], _touched=touched)
    for name, entry in api.items():
        if isinstance(entry, dict) and "." not in name:
            made.__dict__[name] = _class(made, name, entry, does or {}, touched)
    made.__dict__["ILogger"].Severity = type("Severity", (), {})
    return made


class _Module(ModuleType):
    def __getattribute__(self, name: str) -> Any:
        touched = super().__getattribute__("__dict__").get("_touched")
        if touched is not None and not name.startswith("_"):
            touched.add((name, ""))
        return super().__getattribute__(name)


def _class(module: ModuleType, name: str, entry: Any, does: Mapping[str, Any], touched: Touched | None) -> type:
    def touch(member: str) -> None:
        if touched is not None and not member.startswith("_"):
            touched.add((name, member))

    values = {member: _Member(name, member, value) for member, value in entry.get("enum", {}).items()}

    class Meta(type):
        def __getattribute__(cls, member: str) -> Any:
            for one in values if member == "__members__" else (member,):
                touch(one)
            return super().__getattribute__(member)

    class Standin(metaclass=Meta):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.__dict__["made_of"] = args
            checked(module, f"{name}.__init__", entry.get("signatures", {}).get("__init__", ()), args, kwargs)

        def __init_subclass__(cls) -> None:
            for member in vars(cls).keys() & set(entry["members"]):
                touch(member)
                _check_override(f"{name}.{member}", entry["signatures"][member], vars(cls)[member])

        def __getattribute__(self, member: str) -> Any:
            touch(member)
            return super().__getattribute__(member)

        def __setattr__(self, member: str, value: Any) -> None:
            touch(member)
            own = type(self) is Standin and not member.startswith("__")
            if own and member not in entry["members"]:
                raise AttributeError(f"{name} has no attribute {member!r}")
            super().__setattr__(member, value)

    Standin.__name__ = Standin.__qualname__ = name
    for member in entry["members"]:
        key = f"{name}.{member}"
        if member in values:
            setattr(Standin, member, values[member])
        elif member in entry.get("signatures", {}):
            setattr(Standin, member, _method(module, key, entry["signatures"][member], does.get(key)))
        else:
            setattr(Standin, member, does.get(key))
    if "enum" in entry:
        Standin.__members__ = values  # type: ignore[attr-defined]
    return Standin


def _check_override(key: str, signatures: list[str], method: Callable[..., Any]) -> None:
    """Check that a method which the library will call takes what it is called with.

    Raises:
        TypeError: It does not.
    """
    wanted = [len(_parameters(_SIGNATURE.fullmatch(signature)["parameters"])) for signature in signatures]  # type: ignore[index]
    taken = len(inspect.signature(method).parameters) - 1
    if taken not in wanted:
        raise TypeError(f"{key} is called with {wanted} arguments, and {method.__qualname__} takes {taken}")


class _Member:
    """A value of an enumeration."""

    def __init__(self, kind: str, name: str, value: int) -> None:
        self.kind, self.name, self.value = kind, name, value

    def __int__(self) -> int:
        return self.value


def _method(module: ModuleType, key: str, signatures: list[str], does: Any) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        promised = checked(module, key, signatures, args, kwargs)
        if does is not None:
            return does(self, *args, **kwargs)
        promised = _UNREGISTERED.get(promised, promised)
        if promised.startswith("trt."):
            kind = getattr(module, promised.removeprefix("trt."))
            return kind.__new__(kind)
        return _RESULTS.get(promised)

    return method


def checked(module: ModuleType, key: str, signatures: Any, args: Any, kwargs: Mapping[str, Any]) -> str:
    """What a call gives, when one of the signatures takes its arguments.

    Raises:
        TypeError: None does.
    """
    for signature in signatures:
        found = _SIGNATURE.fullmatch(signature)
        if found and _takes(module, _parameters(found["parameters"]), args, kwargs):
            return str(found["result"])
    raise TypeError(f"{key} takes {signatures}; it was called with {args} {kwargs}")


def _parameters(text: str | None) -> list[str]:
    return re.split(r", (?=\w+: )", text) if text else []


def _takes(module: ModuleType, parameters: list[str], args: Any, kwargs: Mapping[str, Any]) -> bool:
    given = dict(kwargs)
    positional = list(args)
    for parameter in parameters:
        name, _, rest = parameter.partition(": ")
        kind, _, default = rest.partition(" = ")
        if positional:
            value = positional.pop(0)
        elif name in given:
            value = given.pop(name)
        elif default:
            continue
        else:
            return False
        if not _fits(module, kind, value):
            return False
    return not positional and not given


def _fits(module: ModuleType, kind: str, value: Any) -> bool:
    kind = _UNREGISTERED.get(kind, kind)
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind])
    if isinstance(value, _Member):
        return kind == f"trt.{value.kind}"
    expected = module.__dict__.get(kind.removeprefix("trt."))
    return not kind.startswith("trt.") or (expected is not None and isinstance(value, expected))
