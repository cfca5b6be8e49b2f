"""What pydantic finds wrong, in our words: who reads of it has a file or an option in mind, not a tuple or an input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fcn_edge.text import printable

__all__ = ["phrase_of"]

_LONGEST = 200
_EXPECTED = {
    "a text": ("string_type", "string_sub_type", "string_unicode"),
    "a whole number": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "a number": ("float_type", "float_parsing"),
    "a finite number": ("finite_number",),
    "true or false": ("bool_type", "bool_parsing"),
    "a list": ("tuple_type", "list_type"),
    "a table of names and values": ("dict_type", "model_type", "model_attributes_type", "dataclass_type"),
}
_PHRASES = {
    **{kind: f"{expected} was expected" for expected, kinds in _EXPECTED.items() for kind in kinds},
    "missing": "it is missing",
    "extra_forbidden": "there is no such key",
    "literal_error": "{expected} was expected",
    "too_short": "at least {min_length} were expected, not {actual_length}",
    "too_long": "at most {max_length} were expected, not {actual_length}",
    "string_too_short": "a text of {min_length} or more letters was expected",
    "string_too_long": "a text of at most {max_length} letters was expected",
    "string_pattern_mismatch": "a text of the form {pattern} was expected",
    "greater_than": "a number above {gt} was expected",
    "greater_than_equal": "a number of at least {ge} was expected",
    "less_than": "a number below {lt} was expected",
    "less_than_equal": "a number of at most {le} was expected",
}


def phrase_of(problem: Mapping[str, Any]) -> str:
    """One of the problems of a pydantic ``ValidationError.errors()`` as a phrase.

    Validators of ours have said it themselves; of kinds that no model of ours has, pydantic's own words are left.
    """
    phrase = _PHRASES.get(problem["type"])
    if phrase is None:
        return printable(problem["msg"].removeprefix("Value error, "), _LONGEST)
    facts = {key: f"{fact:g}" if isinstance(fact, float) else fact for key, fact in problem.get("ctx", {}).items()}
    return printable(phrase.format(**facts), _LONGEST)
