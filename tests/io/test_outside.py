from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.errors import DatasetError, SpecError
from fcn_edge.io.outside import MalformedError, json_of, read_json, read_text, read_toml, toml_of


def test_what_is_whole_comes_back() -> None:
    content = {"name": "é 猫", "list": [1, -2.5, True, None, {"deep": [[]]}], "big": 2**63, "long": 10**39}
    assert json_of(json.dumps(content)) == json_of(json.dumps(content, ensure_ascii=False)) == content
    assert json_of(b"\xef\xbb\xbf[1]") == [1]
    assert toml_of('name = "\\u00e9"\n[a.b]\nx = [1, 2.5]\n') == {"name": "é", "a": {"b": {"x": [1, 2.5]}}}
    assert json_of("[" * 64 + "]" * 64)
    assert json_of('"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON (line 1, column 1)"),
        (b'{"a": 1,\n "b" 2}', "not valid JSON (line 2, column 6)"),
        (b'{"a\x1b[2J": 1, "a\x1b[2J": 2}', "not valid JSON (line 1"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' occurs twice"),
        (b"[1, NaN]", "NaN is no JSON number"),
        (b"[1e999]", "a number that is too large"),
        (b"9" * 5000, "a number of more than 40 digits"),
        (b"-" + b"9" * 41, "a number of more than 40 digits"),
        (b"[" * 65 + b"]" * 65, "nested more than 64 levels deep"),
        (b"[" * 100_000 + b"]" * 100_000, "nested more than 64 levels deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested more than 64 levels deep"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"\\udcfe": 1}', "half a character"),
        (b'{"a":\n "\xff"}', "it is not text in UTF-8 (line 2)"),
    ],
    ids=range(14),
)
def test_damaged_json_is_refused_in_our_words(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        json_of(data)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a = ", "it is not valid TOML ("),
        (b"a = 1\nb == 2", "it is not valid TOML (line 2, column 4)"),
        (b"a = 1\na = 2\n", "it is not valid TOML (line 2"),
        (b"a = " + b"9" * 5000, "a number of more than 40 digits"),
        (b"a = " + b"9" * 50, "a number of more than 40 digits"),
        (b"a = " + b"[" * 10_000 + b"]" * 10_000, "nested more than 64 levels deep"),
        (b"a = " + b"[" * 70 + b"]" * 70, "nested more than 64 levels deep"),
        (b"a" + b".a" * 100_000 + b" = 1", "nested more than 64 levels deep"),
        (b"[a" + b" . 'a'" * 70 + b"]", "nested more than 64 levels deep"),
        (b"a = 1\nb = '\xff'", "it is not text in UTF-8 (line 2)"),
    ],
    ids=range(10),
)
def test_damaged_toml_is_refused_in_our_words(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        toml_of(data)
    assert reason in str(caught.value)


def test_no_toml_takes_time_by_the_square() -> None:
    begin = time.process_time()
    for data in ("a" * 500_000, "a." * 60 + "\n", "a.\n" * 100_000, "1." * 300_000, "-" * 500_000, '"' * 300_001):
        with pytest.raises(MalformedError):
            toml_of(data)
    assert time.process_time() - begin < 20, "it takes a tenth of a second; by the square it would be minutes"


@pytest.mark.parametrize("read", [read_json, read_toml, read_text])
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, read: Callable[..., Any]) -> None:
    path = tmp_path / "file"
    with pytest.raises(DatasetError, match=r"file cannot be read: No such file or directory\."):
        read(path, DatasetError, "Do it again.")
    with pytest.raises(DatasetError, match=r"cannot be read: Is a directory\."):
        read(tmp_path, DatasetError, "Do it again.")
    path.write_bytes(b" " * (1 << 20) + b" ")
    with pytest.raises(SpecError, match=r"file cannot be read: it is larger than 1 MB\.") as caught:
        read(path, SpecError, "Do it again.")
    assert caught.value.fix == "Do it again."
    path.write_bytes(b"a\xff")
    with pytest.raises(DatasetError, match=r"it is not text in UTF-8 \(line 1\)\. Do it again\."):
        read(path, DatasetError, "Do it again.")


def test_texts(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(b"\xef\xbb\xbfroad\r\nsky")
    assert read_text(path, DatasetError, "").splitlines() == ["road", "sky"]
    path.write_bytes(b"road\0sky")
    with pytest.raises(DatasetError, match="NUL"):
        read_text(path, DatasetError, "")
