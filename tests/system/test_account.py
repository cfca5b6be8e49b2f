from __future__ import annotations

import os
from pathlib import Path

from fcn_edge.system.account import AccountFacts, read_account
from fcn_edge.system.probes import identity

from ..doctor.trees import written

GROUPS = {"etc/group": "root:x:0:\nvideo:x:44:jane\nbroken\nrender:x:104:\nvideotex:x:45:\n"}


def test_groups_by_their_numbers(tmp_path: Path) -> None:
    root = written(tmp_path, GROUPS)
    assert read_account(root, lambda: (1000, frozenset({1000, 44}))) == AccountFacts(False, ("video",), ("render",))
    assert read_account(root, lambda: (0, frozenset({0}))) == AccountFacts(True, (), ("video", "render"))


def test_a_system_without_groups(tmp_path: Path) -> None:
    assert read_account(tmp_path, lambda: (1000, frozenset({1000}))) == AccountFacts(False, (), ())


def test_this_process() -> None:
    user, groups = identity()
    assert user == os.geteuid()
    assert os.getegid() in groups
