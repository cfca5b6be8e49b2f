"""``python -m tests.fuzz``: damaged inputs for all parsers; what none may do is kept as a file and counted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from tqdm import tqdm

from .campaign import LIMIT, MODULE, Campaign
from .findings import Findings
from .parser import parsers_of
from .process import remove

KEEP = Path("runs/fuzz")


@click.command()
@click.option("--count", default=10_000, show_default=True, help="Inputs in all.")
@click.option("--seed", default=0, show_default=True, help="Other inputs for each.")
@click.option("--seconds", type=float, help="Stop then, before all inputs are read.")
@click.option("--parser", "names", multiple=True, help="These only; a beginning such as `video.` stands for several.")
@click.option("--jobs", default=2, show_default=True, help="Worker processes.")
@click.option("--limit", default=LIMIT, show_default=True, help="Seconds of the processor that an input may take.")
@click.option("--keep", type=click.Path(path_type=Path), default=KEEP, show_default=True, help="Where faults are kept.")
@click.option("--replay", type=click.Path(path_type=Path, exists=True), help="Read one kept file again.")
@click.option("--list", "listed", is_flag=True, help="Say which parsers there are.")
def main(
    count: int,
    seed: int,
    seconds: float | None,
    names: tuple[str, ...],
    jobs: int,
    limit: float,
    keep: Path,
    replay: Path | None,
    listed: bool,
) -> None:
    """Fuzz what fcn_edge reads; exit code 1 where something is at fault."""
    known = list(parsers_of(MODULE))
    chosen = [name for name in known if not names or name.startswith(names)]
    if not chosen:
        raise click.UsageError(f"There is no such parser. There are: {', '.join(known)}")
    if listed:
        click.echo("\n".join(chosen))
        return
    work = Path(tempfile.mkdtemp(prefix="fcn-edge-fuzz-"))
    try:
        if replay is not None:
            # an input that is kept is called after its parser, the seed and its number
            name = names[0] if names else replay.name.rsplit("-", 2)[0]
            if name not in known:
                raise click.UsageError(f"{replay.name} names no parser. Say which with --parser.")
            findings = Campaign(work / "work", work / "keep", seed=seed, limit=limit).replay(name, replay)
            _tell(findings, details=True)
        else:
            with tqdm(total=count, unit="input", dynamic_ncols=True) as bar:

                def told(name: str, total: int) -> None:
                    bar.total = total
                    bar.set_postfix_str(name, refresh=False)
                    bar.update()

                campaign = Campaign(work / "work", keep, seed=seed, limit=limit, told=told)
                findings = campaign.run(chosen, count, jobs, seconds)
            _tell(findings)
    finally:
        remove(work)
    raise SystemExit(1 if findings.faults else 0)


def _tell(findings: Findings, *, details: bool = False) -> None:
    click.echo(findings.table())
    if details:
        for fault in findings.faults.values():
            click.echo(f"\n{fault.detail}")


if __name__ == "__main__":
    main()
