"""What a run of the suite found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Fault", "Findings"]

OUTCOMES = ("accepted", "refused", "fault")


@dataclass
class Fault:
    """Something that no input may do.

    Attributes:
        parser: Name of the parser.
        kind: See ``oracle.Verdict``.
        what: One line that is the same for faults of one cause.
        detail: The first one's traceback, message or output.
        count: How many inputs did it.
        inputs: Where some of them are kept.
    """

    parser: str
    kind: str
    what: str
    detail: str
    count: int = 0
    inputs: list[Path] = field(default_factory=list)


@dataclass
class Findings:
    """What became of all inputs.

    Attributes:
        outcomes: ``(parser, outcome)`` to how many: ``accepted``, ``refused`` and ``fault``.
        faults: By parser, kind and cause.
        seconds: Of the processor, by parser.
        missing: Parsers that were left out, and the module that each lacks.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: dict[tuple[str, str, str], Fault] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)

    def table(self) -> str:
        """A line for each parser, and one for each fault."""
        names = sorted({name for name, _ in self.outcomes})
        lines = [f"{'parser':<28}{'accepted':>9}{'refused':>9}{'faults':>9}{'seconds':>9}"]
        lines += [
            f"{name:<28}{self.outcomes[name, 'accepted']:>9}{self.outcomes[name, 'refused']:>9}"
            f"{self.outcomes[name, 'fault']:>9}{self.seconds[name]:>9.1f}"
            for name in names
        ]
        total = [sum(n for (_, which), n in self.outcomes.items() if which == one) for one in OUTCOMES]
        lines.append(f"{'all':<28}{total[0]:>9}{total[1]:>9}{total[2]:>9}{sum(self.seconds.values()):>9.1f}")
        lines += [f"{name} was left out: there is no {module}" for name, module in sorted(self.missing.items())]
        for fault in sorted(self.faults.values(), key=lambda one: (one.parser, -one.count)):
            lines.append(f"FAULT {fault.parser}, {fault.kind}, {fault.count}x: {fault.what}")
            lines += [f"      {path}" for path in fault.inputs]
        return "\n".join(lines)
