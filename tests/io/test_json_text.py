from __future__ import annotations

import json
import os

import pytest

from fcn_edge.io.json_text import json_text


def test_json_is_one_line_of_ascii() -> None:
    value = {"path": "ä\n😀", "list": [1, 2.5, None, ("a",)]}
    text = json_text(value)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == {"path": "ä\n😀", "list": [1, 2.5, None, ["a"]]}


def test_halves_of_characters_become_text() -> None:
    name = os.fsdecode(b"in\xfe.mp4")
    text = json_text({name: [name, ("😀",)]})
    assert json.loads(text) == {"in\\udcfe.mp4": ["in\\udcfe.mp4", ["😀"]]}
    assert json.loads(text.encode()) == json.loads(text)


def test_numbers_that_are_not_finite_are_no_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"fps": float("inf")})
