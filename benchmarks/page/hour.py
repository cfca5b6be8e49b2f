"""An hour of a live page at an accelerated rate, with viewers who come and go: is its memory flat?

    python -m benchmarks.page.hour [--minutes 60] [-o benchmarks/results/page/hour.json]

A page in this process gets the results of a camera of 480x640 at 25 frames a second, as fast as it encodes them.
Meanwhile viewers of all kinds (``clients.py``) come for some seconds and go, from another process, and somebody asks
for the status, metrics, snapshots and masks. What must hold is in ``checks`` of the result; where something does not,
the script exits with 1.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from benchmarks.machine import machine
from benchmarks.streams.verdict import Verdict, finish, output_option
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import FrameDone
from fcn_edge.runtime.runner import stream
from fcn_edge.runtime.segmenter import load
from fcn_edge.runtime.source_set import Sources
from fcn_edge.serve.page import LivePage
from fcn_edge.system.allocator import keep_freed_memory

RESULTS = Path(__file__).resolve().parents[1] / "results" / "page" / "hour.json"
MODEL = "camvid-mobilenet_v2-fcn8s"
STREET = "synthetic://street?seed=110&size=480x640&fps=25"
FPS = 25
DISTINCT = 50
"""Results that repeat: making them is not what is measured."""
SAMPLE_EVERY = FPS * 60
PATIENCE = 1.0
MOST_GROWTH_MB = 20.0
"""From the end of the first tenth on."""
ASKED = ("status.json", "metrics", "snapshot.jpg", "mask.png", "healthz", "")


class Visitors:
    """Viewers who come and go in another process, and somebody who asks for everything, until ``end``.

    Attributes:
        visits: How many groups of viewers came.
        asked: How many requests were answered.
    """

    def __init__(self, url: str) -> None:
        self.visits = self.asked = 0
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._come_and_go, args=[seed]) for seed in range(2)]
        self._threads.append(threading.Thread(target=self._ask))
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Send them home."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _come_and_go(self, seed: int) -> None:
        drawn = random.Random(seed)
        address = self._url.replace("http://", "ws://") + "ws"
        while not self._over.is_set():
            kinds = {"quick": drawn.randint(1, 4), "slow": drawn.randint(0, 4), "silent": drawn.randint(0, 2)}
            options = [part for kind, count in kinds.items() for part in (f"--{kind}", str(count))]
            command = [sys.executable, "-m", "benchmarks.page.clients", address, *options]
            subprocess.run([*command, "--seconds", f"{drawn.uniform(2, 8):.1f}"], stdout=subprocess.DEVNULL, check=True)
            self.visits += 1

    def _ask(self) -> None:
        while not self._over.wait(0.2):
            for path in ASKED:
                with urllib.request.urlopen(self._url + path, timeout=30) as answer:
                    answer.read()
                self.asked += 1


def memory_mb() -> float:
    """Memory of this process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def encoded(page: LivePage) -> int:
    """Pictures that the page has encoded."""
    return sum(one.pictures for one in page.encodings())


@click.command()
@click.option("--minutes", type=click.FloatRange(min=5), default=60.0, show_default=True)
@output_option(RESULTS)
def main(minutes: float, output: Path) -> None:
    """An hour of a live page at an accelerated rate."""
    facts = machine(None)
    keep_freed_memory()
    frames = round(minutes * 60 * FPS)
    memory: list[float] = []
    started = time.monotonic()
    with load(MODEL) as segmenter:
        results = list(stream(segmenter, STREET, frames=DISTINCT))
        sources = Sources(STREET, fixed=True)
        with LivePage("http://:0", segmenter, sources) as page:
            visitors = Visitors(page.url)
            try:
                for number in range(frames):
                    result = results[number % DISTINCT]
                    now_ns = number * NS_PER_S // FPS
                    frame = replace(result.frame, index=number, captured_ns=now_ns, captured_unix_ns=now_ns)
                    result = replace(result, frame=frame)
                    before, until = encoded(page), time.monotonic() + PATIENCE
                    page.write(result)
                    page.heard(FrameDone(result, result.statistics))
                    while encoded(page) == before and time.monotonic() < until:
                        time.sleep(0.0002)
                    if number % SAMPLE_EVERY == SAMPLE_EVERY - 1:
                        memory.append(round(memory_mb(), 1))
                        click.echo(f"minute {len(memory)}: {memory[-1]} MB, {encoded(page)} pictures")
            finally:
                visitors.end()
            pictures = encoded(page)
    settled = memory[len(memory) // 10 :]
    verdict = Verdict()
    verdict.at_most("growth of memory (MB)", float(np.median(settled[-5:]) - np.median(settled[:5])), MOST_GROWTH_MB)
    verdict.at_most("highest above the first (MB)", max(settled) - settled[0], 2 * MOST_GROWTH_MB)
    finish(
        output,
        {
            "machine": facts,
            "minutes": minutes,
            "frames": frames,
            "encoded": pictures,
            "visits": visitors.visits,
            "asked": visitors.asked,
            "seconds": round(time.monotonic() - started),
            "memory_mb": memory,
            "checks": verdict.checks,
            "failed": verdict.failed,
            "load": os.getloadavg(),
        },
    )


if __name__ == "__main__":
    main()
