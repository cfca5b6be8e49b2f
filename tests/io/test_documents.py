from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_edge.errors import EngineError, ModelError, UsageError
from fcn_edge.io.documents import MOST_BYTES, content_digest, document_text, read_document, write_document

CONTENT = {"name": "a", "size": [64, 96], "share": 0.1 + 0.2, "nested": {"é": None, "flag": True}}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document.json"


def refused(path: Path, said: str) -> None:
    with pytest.raises(EngineError, match=said) as caught:
        read_document(path, EngineError, "Do it again.")
    assert caught.value.fix == "Do it again."
    assert "\n" not in caught.value.message


def test_content_comes_back_without_the_digest(path: Path) -> None:
    write_document(path, CONTENT)
    assert read_document(path, EngineError, "") == CONTENT
    assert json.loads(path.read_text())["digest"] == content_digest(CONTENT)


@settings(derandomize=True, deadline=None)
@given(content=st.dictionaries(st.text().filter(lambda key: key != "digest"), values, max_size=4))
def test_any_content_comes_back(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(document_text(content), encoding="utf-8")
    assert read_document(path, EngineError, "") == content


def test_order_and_spaces_do_not_count(path: Path) -> None:
    content = json.loads(document_text(CONTENT))
    path.write_text(json.dumps(dict(reversed(content.items()))), encoding="utf-8")
    assert read_document(path, EngineError, "") == CONTENT


def test_writing_again_replaces_the_digest(path: Path) -> None:
    write_document(path, {"digest": "old", **CONTENT})
    assert read_document(path, EngineError, "") == CONTENT


def test_a_document_is_written_whole_or_not_at_all(path: Path, tmp_path: Path) -> None:
    write_document(path, CONTENT)
    with pytest.raises(UsageError, match="more than 16 MB"):
        write_document(path, {"text": " " * MOST_BYTES})
    assert read_document(path, EngineError, "") == CONTENT
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="could not be written"):
        write_document(tmp_path / "absent" / "document.json", CONTENT)


@pytest.mark.parametrize(
    ("old", "new"), [("64", "65"), ('"a"', '"b"'), ("true", "false"), ("0.30000000000000004", "0.3")]
)
def test_one_change_is_seen(path: Path, old: str, new: str) -> None:
    text = document_text(CONTENT)
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    refused(path, "does not match the digest")


def test_every_digit_of_the_digest_counts(path: Path) -> None:
    text = document_text(CONTENT)
    digest = content_digest(CONTENT)
    for place in range(0, len(digest), 7):
        other = digest[:place] + ("0" if digest[place] != "0" else "1") + digest[place + 1 :]
        path.write_text(text.replace(digest, other), encoding="utf-8")
        refused(path, "does not match the digest")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"{}", "does not match the digest"),
        (b'{"digest": 5}', "does not match the digest"),
        (b'{"name": "\xff\xfe"}', "not valid JSON"),
        (b'{"name": NaN}', "not valid JSON"),
        (b'{"name": 1e999}', "not valid JSON"),
        (b'{"name": 1, "name": 2}', "not valid JSON"),
        (b'{"n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not valid JSON"),
        (b'{"n": ' + b"9" * 10_000 + b"}", "not valid JSON|does not match"),
        (b" " * (MOST_BYTES + 1), "larger than 16 MB"),
    ],
    ids=[
        "empty",
        "cut off",
        "list",
        "null",
        "nothing",
        "wrong type",
        "not UTF-8",
        "NaN",
        "infinity",
        "twice",
        "deep",
        "long number",
        "giant",
    ],
)
def test_damage_is_one_sentence(path: Path, content: bytes, said: str) -> None:
    path.write_bytes(content)
    refused(path, said)


def test_missing_file_and_directory_are_one_sentence(path: Path) -> None:
    refused(path, "no file")
    path.mkdir()
    refused(path, "is a directory; a file was expected")


def test_a_document_may_come_through_a_pipe() -> None:
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as pipe:
        pipe.write(document_text(CONTENT))
        pipe.close()
        assert read_document(Path(f"/dev/fd/{read}"), EngineError, "") == CONTENT


def test_error_is_the_caller_s(path: Path) -> None:
    with pytest.raises(ModelError):
        read_document(path, ModelError, "")
