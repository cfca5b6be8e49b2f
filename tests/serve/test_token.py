"""The token of the live page, from a file or the environment."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.serve.token import TOKEN_VARIABLE, read_token

GOOD = "k7_Jw-2mQ9xZ~4vB"


def written(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_it_is_read_from_a_file_without_its_lines_end(tmp_path: Path, end: str) -> None:
    assert read_token(written(tmp_path / "token", GOOD + end), {}) == GOOD


def test_the_file_comes_before_the_environment(tmp_path: Path) -> None:
    other = {TOKEN_VARIABLE: "x" * 20}
    assert read_token(written(tmp_path / "token", GOOD), other) == GOOD
    assert read_token(None, other) == "x" * 20
    assert read_token(None, {}) is None


def test_a_pipe_is_read_as_well(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    keep = os.open(pipe, os.O_RDWR)  # a reader, so that the writer need not wait
    writer = threading.Thread(target=pipe.write_text, args=(GOOD,))
    writer.start()
    writer.join()
    reading = threading.Timer(0.2, os.close, (keep,))
    reading.start()
    assert read_token(pipe, {}) == GOOD
    reading.join()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "my token", GOOD, mode)
    with pytest.raises(UsageError, match="Other users") as caught:
        read_token(path, {})
    assert caught.value.fix.endswith(f"chmod 600 '{path}'")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("a" * 15, "fewer than 16"),
        ("a" * 513, "more than 512"),
        ("a" * 100_000, "more than 512"),
        (GOOD + "\n" + GOOD, "several lines"),
        (GOOD + "\n\n", "several lines"),
        (GOOD + " and more", "spaces or letters outside ASCII"),
        ("käse" * 8, "spaces or letters outside ASCII"),
        (b"\xff\x00" * 10, "spaces or letters outside ASCII"),
    ],
)
def test_a_bad_token_is_refused_and_not_shown(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        read_token(written(tmp_path / "token", content), {})
    assert "secrets.token_urlsafe" in caught.value.fix
    assert GOOD not in str(caught.value)
    assert "aaaa" not in str(caught.value)
    if isinstance(content, str):
        with pytest.raises(UsageError, match="FCN_EDGE_TOKEN"):
            read_token(None, {TOKEN_VARIABLE: content})


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no token file"):
        read_token(tmp_path / "absent", {})
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path, {})
    with pytest.raises(UsageError, match="is no file"):
        read_token(Path("/dev/zero"), {})


def test_the_commands_that_errors_advise_make_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "my token"
    with pytest.raises(UsageError) as caught:
        read_token(path, {})
    command = caught.value.fix.removeprefix("Make a good one: ")
    subprocess.run(["sh", "-c", command], check=True)
    token = read_token(path, {})
    assert token is not None
    assert len(token) > 40
