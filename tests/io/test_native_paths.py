"""Paths for libraries that take UTF-8 only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fcn_edge.errors import ModelError, SourceError
from fcn_edge.io.native_paths import native_path


@pytest.mark.parametrize("name", ["a.mp4", "größe ☃.mp4", "a:b.mp4"])
def test_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert native_path(Path(name), SourceError) == f"{tmp_path}/{name}"


@pytest.mark.parametrize("name", [b"a\xfe.mp4", b"\xff/a.mp4"])
def test_that_are_no_utf8_are_refused_in_a_sentence_that_can_be_printed(name: bytes) -> None:
    with pytest.raises(ModelError, match=r"\\xf[ef].* is not UTF-8") as caught:
        native_path(Path(os.fsdecode(name)), ModelError)
    assert str(caught.value).isascii()
