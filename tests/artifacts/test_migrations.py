from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from fcn_edge.artifacts import migrations
from fcn_edge.artifacts.migrations import Document, renamed
from fcn_edge.errors import ArtifactError, TableError


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    depth: int = 0


def _to_schema_2(content: dict[str, Any]) -> dict[str, Any]:
    return renamed(content, {"colour": "color"})


def _to_schema_3(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "weight": 2 * content.get("weight", 0)}


class Crate(Document):
    MIGRATIONS = (_to_schema_2, _to_schema_3)

    color: str
    weight: int = 1
    parts: tuple[Part, ...] = ()
    lid: Part | None = None


class Cart(Document):
    crate: Crate


def crate(content: object) -> Crate:
    return Crate.from_content(content, "crate.json", TableError)


@pytest.fixture(autouse=True)
def version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "__version__", "1.9.0")


@pytest.mark.parametrize(
    "content",
    [
        {"colour": "red", "weight": 5},  # the first schema had no version
        {"schema_version": 1, "colour": "red", "weight": 5},
        {"schema_version": 2, "color": "red", "weight": 5, "written_by": "1.0.0"},
        {"schema_version": 3, "color": "red", "weight": 10, "written_by": "1.9.0"},
    ],
)
def test_every_version_up_to_its_own_is_read(content: dict[str, Any]) -> None:
    before = dict(content)
    assert crate(content) == Crate(color="red", weight=10)
    assert content == before


def test_what_is_written_says_version_and_writer_first() -> None:
    written = Cart(crate=Crate(color="red")).model_dump(mode="json")
    assert list(written)[:2] == ["schema_version", "written_by"]
    assert (written["schema_version"], written["written_by"]) == (1, "1.9.0")
    assert written["crate"] == {
        "schema_version": 3,
        "written_by": "1.9.0",
        "color": "red",
        "weight": 1,
        "parts": [],
        "lid": None,
    }
    assert Cart.from_content(written, "cart.json", ArtifactError) == Cart(crate=Crate(color="red"))


def test_a_document_inside_another_has_a_version_of_its_own() -> None:
    content = {"schema_version": 1, "crate": {"schema_version": 1, "colour": "red", "weight": 1}}
    assert Cart.from_content(content, "cart.json", ArtifactError).crate.weight == 2


@pytest.mark.parametrize(
    ("writer", "fix"),
    [
        ({}, "Install a newer fcn_edge: pip install --upgrade fcn_edge"),
        ({"written_by": "2.1.0"}, "Install fcn_edge 2.1.0 or newer: pip install --upgrade 'fcn_edge>=2.1.0'"),
        ({"written_by": "1.10"}, "Install fcn_edge 1.10.0 or newer: pip install --upgrade 'fcn_edge>=1.10.0'"),
        ({"written_by": "1.9.0"}, "Install a newer fcn_edge: pip install --upgrade fcn_edge"),
        ({"written_by": "of my own\n2"}, "Install a newer fcn_edge: pip install --upgrade fcn_edge"),
    ],
)
def test_a_newer_version_is_refused_with_what_reads_it(writer: dict[str, str], fix: str) -> None:
    newer = {"schema_version": 4, **writer, "anything": 1}
    for read in (
        lambda: crate(newer),
        lambda: Cart.from_content({"crate": newer}, "crate.json", TableError),
    ):
        with pytest.raises(TableError) as caught:
            read()
        assert caught.value.message == (
            "crate.json was written by a newer fcn_edge (schema 4); this one, 1.9.0, reads up to 3."
        )
        assert caught.value.fix == fix
        assert caught.value.exit_code == 3


UNKNOWN: dict[str, Any] = {
    "schema_version": 3,
    "color": "red",
    "smell": "tar",
    "parts": [{"depth": 1, "width": 2}, {"length": 3}],
    "lid": {"depth": 4, "hinge": "left"},
}


def test_keys_that_a_newer_fcn_edge_added_are_left_out() -> None:
    expected = Crate(color="red", parts=(Part(depth=1), Part()), lid=Part(depth=4))
    content = {**UNKNOWN, "written_by": "1.10.0"}
    assert crate(content) == expected
    assert Cart.from_content({"crate": content}, "cart.json", ArtifactError).crate == expected
    assert content["parts"] == UNKNOWN["parts"]


@pytest.mark.parametrize("writer", [{}, {"written_by": "1.9.0"}, {"written_by": "1.8.12"}, {"written_by": "x"}])
def test_unknown_keys_of_anybody_else_are_slips(writer: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="smell"):
        crate({**UNKNOWN, **writer})


def test_a_newer_writer_excuses_nothing_but_unknown_keys() -> None:
    with pytest.raises(ValidationError, match="weight"):
        crate({**UNKNOWN, "written_by": "2.0.0", "weight": "much"})


@pytest.mark.parametrize("content", [None, 3, [], "crate", {"schema_version": "3"}, {"schema_version": 1.0}, {}])
def test_what_is_no_document(content: object) -> None:
    with pytest.raises(ValidationError):
        crate(content)


def test_renaming_keeps_places_and_leaves_what_is_no_object() -> None:
    content = {"a": 1, "b": {"x": {"a": 2}, "y": 3, "z": {"a": 4}}, "c": 5}
    assert list(renamed(content, {"b": "d"})) == ["a", "d", "c"]
    assert renamed(content, {"a": "e"}, "b", "*") == {"a": 1, "b": {"x": {"e": 2}, "y": 3, "z": {"e": 4}}, "c": 5}
    assert renamed(content, {"a": "e"}, "c") == renamed(content, {"a": "e"}, "none", "b") == content
