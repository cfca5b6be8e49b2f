"""fcn_edge beside the other ways to run the same network, from a frame in memory to a full-size mask.

    python -m benchmarks.peers [--only NAME ...] [--rounds 5] [-o benchmarks/results/peers.json]

Every peer and round has a process of its own, because thread pools of several libraries disturb one another. A process
loads, warms up and then takes its frames, one call after the other; its result is the median. Rounds alternate, in an
order that turns by one each time. What is compared are medians over the rounds, and for ratios the median of those of
the same round. Before, the masks are compared, so that equal work is timed. Nothing else should run meanwhile.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from benchmarks.peers.outcome import bars, kept_shares, row_of
from benchmarks.peers.prepare import prepared_task
from benchmarks.peers.registry import PEERS
from benchmarks.peers.rounds import checked_rows, time_rows
from benchmarks.peers.table import RESULTS, markdown
from benchmarks.streams.verdict import finish
from fcn_edge.cli.verb import SIZE


@click.command()
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option("--size", type=SIZE, default=(512, 1024), show_default=True, help="Network size.")
@click.option("--frame-size", type=SIZE, default=(720, 1280), show_default=True)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=15, show_default=True, type=click.IntRange(min=1), help="Frames of a round.")
@click.option("--only", "names", multiple=True, type=click.Choice(list(PEERS)), help="These peers; all when left out.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=RESULTS, show_default=True)
def main(
    model: str,
    size: tuple[int, int],
    frame_size: tuple[int, int],
    rounds: int,
    frames: int,
    names: tuple[str, ...],
    output: Path,
) -> None:
    """Compare fcn_edge with other ways to run the same network; ends with 1 where a bar is missed."""
    result: dict[str, Any] = {
        "machine": machine(None),
        "model": model,
        "size": size,
        "frame_size": frame_size,
        "rounds": rounds,
        "frames": frames,
    }
    with tempfile.TemporaryDirectory() as folder:
        click.echo("Preparing model, frames and masks to compare with ...")
        task = prepared_task(model, Path(folder), size, frame_size)
        rows = checked_rows(task, names or list(PEERS), click.echo)
        time_rows(task, rows, rounds, frames, click.echo)
    result |= {"rows": [row_of(row) for row in rows], "bars": bars(rows), "kept_of_network": kept_shares(rows)}
    result["failed"] = [bar["name"] for bar in result["bars"] if not bar.get("holds", True)]
    click.echo(markdown(result))
    finish(output, result)


if __name__ == "__main__":
    main()
