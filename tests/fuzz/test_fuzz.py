"""Few damaged inputs for every parser, the same each time; ``make fuzz`` has more."""

from __future__ import annotations

from pathlib import Path

from .campaign import MODULE, Campaign
from .parser import parsers_of

COUNT = 500


def test_every_damaged_input_is_accepted_or_refused_in_a_sentence(tmp_path: Path) -> None:
    findings = Campaign(tmp_path / "work", tmp_path / "faults").run(list(parsers_of(MODULE)), COUNT)
    assert not findings.faults, f"\n{findings.table()}\nRead one again with: python -m tests.fuzz --replay FILE"
    assert sum(findings.outcomes.values()) >= COUNT - 30 * len(findings.missing)
    assert all(findings.outcomes[name, "refused"] for name in ("image.png", "document.table", "text.dataset"))
