"""That the fuzzing suite sees what no reader may do, keeps its input, and goes on."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from .campaign import ROUND, Campaign, plan_of
from .damages import BYTES, TEXT
from .faulty import INPUTS, PARSERS, WHOLES
from .findings import Findings
from .oracle import wrong_with
from .parser import Parser, case_of
from .process import remove
from .structures import DEEP, sealed, sealed_damaged, toml_bytes, toml_of, tree_damaged

MODULE = "tests.fuzz.faulty"
COUNT = len(WHOLES) + 6


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("fuzz")
    return Campaign(folder / "work", folder / "keep", module=MODULE, limit=1.0).run(["faulty"], COUNT)


def test_every_kind_of_fault_is_found_and_its_input_kept(findings: Findings) -> None:
    kept = {path.read_bytes(): fault.kind for fault in findings.faults.values() for path in fault.inputs}
    assert kept == INPUTS


def test_a_crash_and_a_hang_end_nothing(findings: Findings) -> None:
    counts = {outcome: findings.outcomes["faulty", outcome] for outcome in ("accepted", "refused", "fault")}
    assert counts == {"accepted": 2, "refused": COUNT - len(WHOLES), "fault": len(INPUTS)}


def test_how_it_crashed_is_told(findings: Findings) -> None:
    crash = next(fault for fault in findings.faults.values() if fault.kind == "crash")
    assert "SIGSEGV" in crash.what
    assert "faulty.py" in crash.detail
    beside = crash.inputs[0].with_name(f"{crash.inputs[0].name}.txt")
    assert "Segmentation fault" in beside.read_text()
    assert f"FAULT faulty, crash, 1x: {crash.what}" in findings.table()


def test_a_kept_input_is_read_again(findings: Findings, tmp_path: Path) -> None:
    kept = next(fault for fault in findings.faults.values() if fault.what.startswith("KeyError")).inputs[0]
    again = Campaign(tmp_path / "work", tmp_path / "keep", module=MODULE).replay("faulty", kept)
    assert [fault.what for fault in again.faults.values()] == ["KeyError at the suite itself"]


def test_inputs_are_the_same_for_a_seed_and_others_for_another() -> None:
    parser = Parser("made up", "x", lambda _: [], lambda path, _: path, (*BYTES, *TEXT))
    wholes = [b"a first whole input, long enough", b"another 1 2 3"]

    def cases(seed: int) -> list[bytes]:
        return [case_of(parser, wholes, seed, index) for index in range(60)]

    assert cases(1) == cases(1)
    assert cases(1)[:2] == cases(2)[:2] == wholes
    assert cases(1)[2:] != cases(2)[2:]
    assert len(set(cases(1))) > 50


def test_sealed_documents_get_behind_the_digest(tmp_path: Path) -> None:
    from fcn_edge.errors import TableError
    from fcn_edge.io.documents import read_document

    whole = sealed({"name": "a", "sizes": [1, 2, 3], "parts": {"x": 1.5, "y": None}})
    read = 0
    for index in range(60):
        (tmp_path / "d.json").write_bytes(sealed_damaged(whole, random.Random(index), ()))
        try:
            read += bool(read_document(tmp_path / "d.json", TableError, ""))
        except TableError:
            continue
    assert read > 30


def test_trees_become_toml() -> None:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    tree = {"a": 1, "b": [1.5, "x\n\x7f"], "t": {"c": {"d": True}, "e f": "é"}, "rows": [{"g": []}, {"h": "-"}]}
    assert tomllib.loads(toml_bytes(tree).decode()) == tree
    for index in range(200):
        toml_bytes({"": tree_damaged(tree, random.Random(index))})


def test_every_parser_gets_inputs() -> None:
    parsers = [
        Parser(f"{number}", "x", lambda _: [], lambda path, _: path, BYTES, share=0.5 + number) for number in range(9)
    ]
    plan = plan_of(parsers, 500, 2)
    counts = {name: stop for jobs in plan for name, start, stop in jobs if start == 0}
    assert counts.keys() == {parser.name for parser in parsers}
    assert sum(counts.values()) == pytest.approx(500, abs=9)
    assert min(counts.values()) >= 5
    loads = [sum(stop for _, _, stop in jobs) for jobs in plan]
    assert max(loads) < 1.5 * min(loads)


def test_a_parser_makes_its_whole_inputs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.campaign.ROUND", 10)
    found = Campaign(tmp_path / "work", tmp_path / "keep", module=MODULE).run(["made once"], 30)
    assert not found.faults
    assert sum(found.outcomes.values()) == 30


def test_many_inputs_are_read_in_rounds() -> None:
    parsers = [Parser(name, "x", lambda _: [], lambda path, _: path, BYTES, share=1) for name in "ab"]
    (jobs,) = plan_of(parsers, 3 * ROUND, 1)
    assert jobs == [
        (name, start, start + ROUND // 2) for start in range(0, 3 * ROUND // 2, ROUND // 2) for name in "ab"
    ]


def test_faulty_parsers_are_no_part_of_the_suite() -> None:
    from .parsers import PARSERS as real

    assert {parser.name for parser in real}.isdisjoint(parser.name for parser in PARSERS)
    assert len({parser.name for parser in real}) == len(real)


@pytest.mark.parametrize(
    ("text", "own", "problem"),
    [
        ("'ü' is no size; 480x640 was expected.", "", ""),
        ("a" * 1000, "", ""),
        ("a" * 1001, "", "has more than 1000 letters"),
        ("a\nb", "", "holds letters that are not for printing"),
        ("\u202ea", "", "holds letters that are not for printing"),
        ("read: [Errno 2]", "", "says '[Errno'"),
        ("'0x123456' is no size.", "0x123456", ""),
        ("<Reader object at 0x7f12>", "0x123456", "says 'object at 0x'"),
    ],
)
def test_what_no_text_for_people_may_have(text: str, own: str, problem: str) -> None:
    assert wrong_with(text, own) == problem


def test_nests_that_are_too_deep_to_be_written_are_written_all_the_same() -> None:
    tree: dict[str, object] = {"a": 1}
    for _ in range(600):
        tree = {"a": tree}
    assert toml_of([tree])(b"", random.Random(0), []) == DEEP


def test_folders_in_one_another_are_removed_however_many(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    subprocess.run(["mkdir", "-p", Path(folder, *["b"] * 1050)], check=True)
    remove(folder)
    assert not folder.exists()
