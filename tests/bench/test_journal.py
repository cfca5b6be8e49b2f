"""The journal of a run: what was measured survives a kill at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.bench.journal import Journal
from fcn_edge.errors import ArtifactError, UsageError

RUN = {"suite": {"rounds": 3}, "machine": ["AMD EPYC", 2]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def written(path: Path, count: int = 3) -> str:
    with Journal(path, RUN, resume=False) as journal:
        for index in range(count):
            journal.add("round", f"{index} row", {"ms": index}, 0.5)
        return journal.started


def test_a_run_goes_on_where_it_was(path: Path) -> None:
    started = written(path)
    with Journal(path, RUN, resume=True) as journal:
        assert journal.entries == {("round", f"{index} row"): {"ms": index} for index in range(3)}
        assert (journal.seconds, journal.resumed, journal.started) == (1.5, 1, started)
        journal.add("round", "3 row", {"ms": 3}, 0.5)
    with Journal(path, RUN, resume=True) as journal:
        assert (len(journal.entries), journal.resumed) == (4, 2)


def test_a_new_run_forgets_the_one_before(path: Path) -> None:
    written(path)
    written(path, 1)
    with Journal(path, RUN, resume=True) as journal:
        assert len(journal.entries) == 1


def test_nothing_to_resume_is_a_new_run(path: Path) -> None:
    with Journal(path, RUN, resume=True) as journal:
        assert (journal.entries, journal.resumed) == ({}, 0)


def test_cut_off_anywhere_all_whole_lines_are_kept(path: Path) -> None:
    written(path)
    content = path.read_bytes()
    ends = {index + 1 for index, byte in enumerate(content) if byte == ord("\n")}
    for length in sorted({*range(0, len(content), 41), *ends, *(end - 1 for end in ends)}):
        path.write_bytes(content[:length])
        with Journal(path, RUN, resume=True) as journal:
            whole = max(0, content[:length].count(b"\n") - 1)
            assert len(journal.entries) == whole
            journal.add("round", "new", {}, 0.1)
        with Journal(path, RUN, resume=True) as journal:
            assert len(journal.entries) == whole + 1


@pytest.mark.parametrize(
    ("change", "named"),
    [({"machine": ["Orin", 6]}, "machine"), ({"suite": {"rounds": 4}, "more": 1}, "more and suite")],
)
def test_another_run_is_not_gone_on_with(path: Path, change: dict[str, Any], named: str) -> None:
    written(path)
    with pytest.raises(UsageError, match=f"another {named}"):
        Journal(path, {**RUN, **change}, resume=True)
    with Journal(path, RUN, resume=True) as journal:  # and the one that is there is not lost
        assert len(journal.entries) == 3


@pytest.mark.parametrize("line", [b"[1]\n", b"{}\n", b"\xff\n", b'{"kind": "round"}\n'])
def test_what_is_no_journal(path: Path, line: bytes) -> None:
    written(path)
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(ArtifactError, match="line 5 cannot be read"):
        Journal(path, RUN, resume=True)


def test_two_processes_do_not_write_into_one(path: Path) -> None:
    with Journal(path, RUN, resume=False), pytest.raises(UsageError, match="Another process measures"):
        Journal(path, RUN, resume=True)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="could not be written"):
        Journal(tmp_path / "none" / "journal.jsonl", RUN, resume=False)
