from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fcn_edge.artifacts.spec import first_problem


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    text: Annotated[str, Field(min_length=1, max_length=5, pattern="^[a-z]*$")] = "a"
    count: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    flag: bool = False
    kind: Literal["a", "b"] = "a"
    items: Annotated[tuple[int, ...], Field(min_length=2, max_length=3)] = (1, 2)
    inner: Inner = Inner()

    @field_validator("flag")
    @classmethod
    def _no_flag(cls, flag: bool) -> bool:
        if flag:
            raise ValueError("the flag is out of use")
        return flag


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"text": 3}, "text: a text was expected"),
        ({"text": ""}, "text: a text of 1 or more letters was expected"),
        ({"text": "abcdef"}, "text: a text of at most 5 letters was expected"),
        ({"text": "A"}, "text: a text of the form ^[a-z]*$ was expected"),
        ({"count": "many"}, "count: a whole number was expected"),
        ({"count": 0}, "count: a number of at least 1 was expected"),
        ({"count": 10}, "count: a number of at most 9 was expected"),
        ({"share": 0}, "share: a number above 0 was expected"),
        ({"share": 1}, "share: a number below 1 was expected"),
        ({"share": float("inf")}, "share: a finite number was expected"),
        ({"share": []}, "share: a number was expected"),
        ({"flag": "perhaps"}, "flag: true or false was expected"),
        ({"flag": True}, "flag: the flag is out of use"),
        ({"kind": "c"}, "kind: 'a' or 'b' was expected"),
        ({"items": [1]}, "items: at least 2 were expected, not 1"),
        ({"items": 1}, "items: a list was expected"),
        ({"inner": 1}, "inner: a table of names and values was expected"),
        ({"inner": {"x": 1}}, "inner.x: there is no such key"),
        ({"\x1b[2J\n" + "k" * 5000: 1}, "\\x1b[2J\\nkkk"),
    ],
)
def test_what_is_wrong_is_said_in_our_words(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Thing(**values)
    said = first_problem(caught.value)
    assert said.startswith(says)
    assert said.isprintable()
    assert len(said) < 300


def test_what_is_missing_is_said() -> None:
    class Needing(BaseModel):
        name: str

    with pytest.raises(ValidationError) as caught:
        Needing()  # type: ignore[call-arg]
    assert first_problem(caught.value) == "name: it is missing"
