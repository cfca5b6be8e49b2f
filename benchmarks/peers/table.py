"""The results as Markdown, for people and for ``benchmarks/README.md``.

python -m benchmarks.peers.table [benchmarks/results/peers.json]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["RESULTS", "markdown"]

RESULTS = Path(__file__).resolve().parents[1] / "results" / "peers.json"

HEADS = {
    "call": "one call a frame",
    "stream": "frames overlapping",
    "network": "network alone",
    "other net": "Ultralytics, with its own network",
}


def markdown(result: dict[str, Any]) -> str:
    """A table of the rows by group, one of the bars, and one of what is left of a bare network's speed."""
    lines = []
    for group, head in HEADS.items():
        rows = [row for row in result["rows"] if row["group"] == group]
        if rows:
            lines += ["", f"| {head} | ms a frame | range | masks alike, network's size | frame's size |"]
            lines += ["|---|---|---|---|---|", *map(_row, rows)]
    if result["bars"]:
        lines += [
            "",
            "| fcn_edge against the best of the others | times as fast | range | at least |",
            "|---|---|---|---|",
        ]
    for bar in result["bars"]:
        sides = f"{bar['name']}: {bar['ours']} and {bar['peer']}"
        lines.append(f"| {sides} | {bar['times']:.2f} | {_range(bar['range'])} | {bar.get('at_least', '')} |")
    if result["kept_of_network"]:
        lines += ["", "| from frame to mask | share of its network's speed | range |", "|---|---|---|"]
    for kept in result["kept_of_network"]:
        lines.append(f"| {kept['whole']} | {kept['kept']:.2f} | {_range(kept['range'])} |")
    return "\n".join(lines[1:])


def _row(row: dict[str, Any]) -> str:
    told = "" if row["told_threads"] is None else f", {row['told_threads']} threads"
    noted = f", {row['note']}" if "note" in row else ""
    title = f"{row['title']}{noted}{told} (`{row['peer']}`)"
    if "median_ms" not in row:
        return f"| {title} | {row.get('absent') or row['failed']} | | | |"
    shares = row.get("same_pixels")
    alike = f"{shares['network']:.2%} | {shares['frame']:.2%}" if shares else " | "
    return f"| {title} | {row['median_ms']:.1f} | {_range(row['range_ms'])} | {alike} |"


def _range(values: list[float]) -> str:
    low, high = values
    return f"{low:.2f} to {high:.2f}" if high < 10 else f"{low:.1f} to {high:.1f}"


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=RESULTS)
def main(path: Path) -> None:
    """Print the tables of a result."""
    click.echo(markdown(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
