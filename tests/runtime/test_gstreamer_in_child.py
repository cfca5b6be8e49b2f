"""What both programs for GStreamer's child process do there, with a GStreamer that is played."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fcn_edge.runtime.gstreamer_in_child import Answers, UnbuiltError, chained, error_of, factory_of, loaded_gst

TYPES = {"text": "gchararray", "number": "gint", "choice": "GstChoice", "caps": "GstCaps"}


class Element:
    """Has a text, a number, an enumeration and caps, and keeps what they are set to."""

    def __init__(self, factory: str) -> None:
        self.factory, self.values, self.behind = factory, {}, ""

    def find_property(self, name: str) -> Any:
        return SimpleNamespace(value_type=SimpleNamespace(name=TYPES[name])) if name in TYPES else None

    def set_property(self, name: str, value: Any) -> None:
        self.values[name] = value

    def get_factory(self) -> Any:
        return SimpleNamespace(get_name=lambda: self.factory)

    def link(self, other: Element) -> bool:
        self.behind = other.factory
        return other.factory != "misfit"


def played_gst() -> Any:
    return SimpleNamespace(
        ElementFactory=SimpleNamespace(make=lambda factory, _: None if factory == "absent" else Element(factory)),
        Caps=SimpleNamespace(from_string=lambda text: ("caps", text)),
        util_set_object_arg=lambda element, name, value: element.set_property(name, ("by name", value)),
    )


@pytest.fixture
def build() -> Callable[..., list[Element]]:
    """Elements of these descriptions."""

    def elements(*descriptions: dict[str, Any]) -> list[Element]:
        there: list[Element] = []
        chain = chained(played_gst(), SimpleNamespace(add=there.append), list(descriptions))
        assert there == chain
        return chain

    return elements


class TestChained:
    def test_links_each_to_the_one_before_it(self, build: Callable[..., list[Element]]) -> None:
        chain = build({"factory": "one"}, {"factory": "two"}, {"factory": "three"})
        assert [(element.factory, element.behind) for element in chain] == [
            ("one", "two"),
            ("two", "three"),
            ("three", ""),
        ]

    def test_sets_properties_by_their_types(self, build: Callable[..., list[Element]]) -> None:
        properties = {"text": "a", "number": 1, "choice": "fast", "caps": "video/x-raw"}
        (element,) = build({"factory": "one", "properties": properties})
        assert element.values == {
            "text": "a",
            "number": 1,
            "choice": ("by name", "fast"),
            "caps": ("caps", "video/x-raw"),
        }

    def test_leaves_out_a_property_of_another_release(self, build: Callable[..., list[Element]]) -> None:
        (element,) = build({"factory": "one", "properties": {"new": 1, "number": 2}})
        assert element.values == {"number": 2}

    @pytest.mark.parametrize(
        ("factory", "message"),
        [("absent", {"kind": "missing", "elements": ["absent"]}), ("misfit", {"kind": "link"})],
    )
    def test_says_why_there_is_none(
        self, build: Callable[..., list[Element]], factory: str, message: dict[str, Any]
    ) -> None:
        with pytest.raises(UnbuiltError) as caught:
            build({"factory": "one"}, {"factory": factory})
        assert caught.value.message == message


class TestLoadedGst:
    def test_is_ready_for_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[Any] = []
        gi, repository = ModuleType("gi"), ModuleType("gi.repository")
        gi.require_version = lambda *version: done.append(version)  # type: ignore[attr-defined]
        repository.Gst = SimpleNamespace(init=done.append)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "gi", gi)
        monkeypatch.setitem(sys.modules, "gi.repository", repository)
        assert loaded_gst() is repository.Gst
        assert done == [("Gst", "1.0"), None]

    @pytest.mark.parametrize("binding", [True, False])
    def test_that_is_not_here(self, binding: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither the binding nor, beside it, GStreamer's description."""

        def require_version(name: str, _version: str) -> None:
            raise ValueError(f"Namespace {name} not available")

        monkeypatch.setitem(sys.modules, "gi", SimpleNamespace(require_version=require_version) if binding else None)
        with pytest.raises(UnbuiltError) as caught:
            loaded_gst()
        assert caught.value.message == {"kind": "no_gi"}


class TestAnswers:
    def test_are_whole_and_one_after_the_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From several threads, through a pipe that takes a part of each at a time."""
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:1000]))
        reading, writing = os.pipe()
        answers = Answers(writing)
        size, threads = 50_000, 4
        received = b""
        with ThreadPoolExecutor(threads) as pool:
            for number in range(threads):
                pool.submit(answers.write, bytes([number]) * size, bytes([number + 100]) * size)
            while len(received) < 2 * size * threads:
                received += os.read(reading, 1 << 16)
        os.close(reading)
        os.close(writing)
        whole = [received[place : place + 2 * size] for place in range(0, len(received), 2 * size)]
        assert sorted(whole) == [bytes([number]) * size + bytes([number + 100]) * size for number in range(threads)]

    def test_are_given_by_no_child_of_the_child(self) -> None:
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        Answers(writing)
        assert not os.get_inheritable(writing)
        os.close(reading)
        os.close(writing)


def test_an_error_is_told_in_names_and_numbers() -> None:
    error = SimpleNamespace(domain="gst-stream-error-quark", code=4, message="rtsp://me:secret@cam")
    message = SimpleNamespace(parse_error=lambda: (error, "secret"), src=Element("qtdemux"))
    told = {"kind": "error", "domain": "gst-stream-error-quark", "code": 4, "factory": "qtdemux"}
    assert error_of(message) == told


def test_what_no_factory_made() -> None:
    assert factory_of(None) == ""
    assert factory_of(SimpleNamespace(get_factory=lambda: None)) == ""
