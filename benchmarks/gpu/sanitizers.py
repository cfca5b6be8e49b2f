"""All kernels beneath NVIDIA's compute-sanitizer: reads out of bounds, races, barriers, memory that nobody wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from gpu.children import Outcome, run_check, tool
from gpu.subject import Row, Subject

__all__ = ["TOOLS", "check", "judged"]

TOOLS = {
    # calls that fail raise here; libraries ask the driver for functions that it may lack, which is no fault
    "memcheck": ("--report-api-errors", "no"),
    "racecheck": (),
    "synccheck": (),
    "initcheck": (),
}
"""The options of each tool."""

LIMIT_S = 100
_SUMMARY = re.compile(
    r"^=+ (?:ERROR|RACECHECK) SUMMARY: (\d+) (?:error|hazard)s?\b(?! were not printed).*$", re.MULTILINE
)
_SAID = re.compile(r"^=+ (?!COMPUTE-SANITIZER)(\S.*)$", re.MULTILINE)


def check(subject: Subject) -> Iterator[Row]:
    """A row for each tool, which all run at once."""
    program = tool("compute-sanitizer")
    if program is None or not subject.request.alone:
        reason = "compute-sanitizer is not here" if program is None else "it needs processes of its own"
        yield {"absent": f"{reason}."}
        return

    def watched(name: str) -> Outcome:
        words = (program, "--tool", name, "--print-limit", "5", *TOOLS[name])
        return run_check("small", subject.request, LIMIT_S, words)

    with ThreadPoolExecutor(len(TOOLS)) as pool:
        for name, outcome in zip(TOOLS, pool.map(watched, TOOLS), strict=True):
            yield {"tool": name} | judged(name, outcome)


def judged(name: str, outcome: Outcome) -> Row:
    """What one tool's output says.

    Args:
        name: The tool.
        outcome: What became of the process that it watched.
    """
    summary = _SUMMARY.search(outcome.output)
    said = _SAID.findall(outcome.output)
    if summary is None:  # it did not watch: the machine's matter, not the kernels'
        return {
            "absent": f"{name} gave no summary: {outcome.problem or 'the program ended well.'} {' '.join(said[:3])}"
        }
    launches = outcome.rows[-1].get("launches", 0) if outcome.rows else 0
    row = {"found": int(summary[1]), "launches": launches, "agree": summary[1] == "0" and launches > 0}
    if row["agree"]:
        return row
    what = f"finds {summary[1]}" if summary[1] != "0" else f"watched no launch ({outcome.problem or outcome.rows})"
    return row | {"failed": f"{name} {what}: {' | '.join(said[:8])[:600]}"}
