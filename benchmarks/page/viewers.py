"""One viewer against twenty, ten of them slow and two silent: what does the run pay for them?

    python -m benchmarks.page.viewers [--rounds 5] [-o benchmarks/results/page/viewers.json]

The shipped FCN-8s over a rendered street of 640x480 at 10 frames a second, in a process of its own, with a live page.
In alternating rounds one viewer looks, or twenty do, from another process of the same machine. What must hold is in
``checks`` of the result; where something does not, the script exits with 1. Nothing else should run meanwhile.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from benchmarks.page.run import PageRun, page_run
from benchmarks.streams.verdict import Verdict, finish, output_option

RESULTS = Path(__file__).resolve().parents[1] / "results" / "page" / "viewers.json"
MODEL = "camvid-mobilenet_v2-fcn8s"
SOURCE = "synthetic://street?seed=110&size=480x640&fps=10&frames=100000"
ALONE = {"quick": 1, "slow": 0, "silent": 0}
TWENTY = {"quick": 8, "slow": 10, "silent": 2}
MARGIN = 1.0
"""Seconds at the ends of a round in which viewers come and go, and nothing is counted."""
MOST_LOSS = 0.05
MOST_MORE = 0.10
"""Encoder seconds may differ by what two rounds with the same viewers differ by."""
MOST_GROWTH_MB = 60.0
"""Twenty viewers with 4 MB each that wait, at most, less what allocators keep anyway."""


def round_of(run: PageRun, kinds: dict[str, int], seconds: float) -> dict[str, Any]:
    """What one round did: frames and encoder seconds by the page's own metrics."""
    options = [part for kind, count in kinds.items() for part in (f"--{kind}", str(count))]
    command = [sys.executable, "-m", "benchmarks.page.clients", run.websocket, *options, "--seconds", str(seconds + 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clients:
        time.sleep(MARGIN)
        started, before, cpu = time.monotonic(), run.metrics(), run.cpu_seconds()
        time.sleep(seconds - 2 * MARGIN)
        taken, after, memory = time.monotonic() - started, run.metrics(), run.memory_mb()
        cpu = run.cpu_seconds() - cpu
        got = json.loads(clients.communicate()[0])
    grown = {name: after[name] - before.get(name, 0.0) for name in after}
    encoded = grown["fcn_edge_source_page_pictures_total"]
    return {
        "viewers": sum(kinds.values()),
        "fps": round(grown["fcn_edge_source_frames_total"] / taken, 3),
        "encoded_fps": round(encoded / taken, 3),
        "encode_ms": round(1000 * grown["fcn_edge_source_page_encode_seconds_total"] / max(encoded, 1), 3),
        "encoder_seconds_per_minute": round(60 * grown["fcn_edge_source_page_encode_seconds_total"] / taken, 3),
        "cpu_share": round(cpu / taken, 3),
        "memory_mb": round(memory, 1),
        "got": got,
    }


@click.command()
@click.option("--rounds", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=5), default=15.0, show_default=True, help="Of each round.")
@output_option(RESULTS)
def main(rounds: int, seconds: float, output: Path) -> None:
    """One viewer against twenty."""
    samples: dict[int, list[dict[str, Any]]] = {1: [], 20: []}
    facts = machine(None)
    with page_run(MODEL, SOURCE) as run:
        round_of(run, TWENTY, 5.0)  # what is loaded and allocated once is not what is measured
        for number in range(rounds):
            for kinds in (ALONE, TWENTY) if number % 2 else (TWENTY, ALONE):
                sample = round_of(run, kinds, seconds)
                click.echo(json.dumps(sample))
                samples[sample["viewers"]].append(sample)
    medians = {
        count: {key: statistics.median(one[key] for one in of) for key in of[0] if key not in ("got", "viewers")}
        for count, of in samples.items()
    }
    verdict = Verdict()
    verdict.at_most("loss of frames/s", 1 - medians[20]["fps"] / medians[1]["fps"], MOST_LOSS)
    more = medians[20]["encoder_seconds_per_minute"] / medians[1]["encoder_seconds_per_minute"] - 1
    verdict.at_most("more encoder seconds", more, MOST_MORE)
    growth = max(one["memory_mb"] for one in samples[20]) - min(one["memory_mb"] for one in samples[1])
    verdict.at_most("memory of 19 more viewers (MB)", growth, MOST_GROWTH_MB)
    result = {
        "machine": facts,
        "model": MODEL,
        "source": SOURCE,
        "seconds": seconds,
        "medians": {str(count): values for count, values in medians.items()},
        "rounds": {str(count): of for count, of in samples.items()},
        "checks": verdict.checks,
        "failed": verdict.failed,
    }
    finish(output, result)


if __name__ == "__main__":
    main()
