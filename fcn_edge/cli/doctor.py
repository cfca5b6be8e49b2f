"""``fcn-edge doctor``: what this machine has, and the command that fixes what is missing."""

from __future__ import annotations

from typing import Any

import click

from fcn_edge.cli.verb import say, verb

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge doctor")
@verb
def command() -> dict[str, Any]:
    """What this machine has and, line by line, the command that fixes what is missing.

    "no" marks what only some commands need, "FAIL" what every model needs. The exit code is 0 either way: a report
    was asked for, and it was given; scripts look at "checks" of --json.
    """
    from fcn_edge.doctor import all_checks
    from fcn_edge.system.facts import read_facts

    facts = read_facts()
    checks = all_checks(facts)
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "ok" if check.ok else "FAIL" if check.required else "no"
        say(f"{mark:<4}  {check.name:<{width}}  {check.found}")
        if not check.ok and check.fix:
            say(f"{'':<4}  {'':<{width}}  -> {check.fix}")
    return {"checks": [check.to_json() for check in checks], "machine": facts.to_json()}
