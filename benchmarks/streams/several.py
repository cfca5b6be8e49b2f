"""Four sources on one engine: do they share it fairly, does one that dies leave the others alone, does anything leak?

    python -m benchmarks.streams.several [--rounds 7] [-o benchmarks/results/streams/several.json]

One process on the CPU, the shipped FCN-8s in INT8 at 384x480, frames of 1280x720 from memory, through
``fcn_edge.run``; once as files, which wait for the network, and once as cameras of 60 frames a second, which drop what
it has no time for.

fair      Four sources, and one alone with the frames of all four (as a camera of 240 frames a second), in turns. From
          the third result of each source on, the results of each are within 10 % of the mean, and those of all are no
          fewer a second than of the one alone (median of the rounds): where the one keeps the network busy by itself
          both are the same, so that 3 % less is a tie.
one dies  Four sources, of which one fails midway: it is ``lost`` and no other, and each of the others gives as many
          results a second afterwards as before, or more (median of the rounds).
changes   A thousand sources (by turns a file of H.264, a file and a camera in memory) are added to a run that goes on,
          give a frame and are removed. There are no more threads and open files at the end than after the first
          tenth, and 5 % more memory at most.

What does not hold is in ``failed`` of the results and fails the script. Nothing else should run meanwhile.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from benchmarks.streams.changes import changes
from benchmarks.streams.memory import Image, Memory, rendered_street
from benchmarks.streams.throughput import write_video
from benchmarks.streams.verdict import finish, output_option, result_path
from fcn_edge.builder.api import build
from fcn_edge.cli.verb import SIZE
from fcn_edge.errors import SourceError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Event, FrameDone
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.system.allocator import keep_freed_memory
from fcn_edge.system.thread_pools import owned_thread_pools

RESULTS = result_path("several")
SOURCES = 4
FRAME_SIZE = (720, 1280)
DISTINCT = 8
"""Frames that each source repeats: rendering is not what is measured."""

CAMERA_FPS = 60.0
SETTLED = 3
"""Results of each source before its results count: sessions warm up meanwhile."""

UNFAIR = 0.1
TIE = 0.97


class Arrivals:
    """A listener that notes when each result came, and of which source.

    Attributes:
        results: ``time.monotonic_ns()`` and the source of each.
    """

    def __init__(self) -> None:
        self.results: list[tuple[int, str]] = []

    def __call__(self, event: Event) -> None:
        """Note a result."""
        if isinstance(event, FrameDone):
            self.results.append((time.monotonic_ns(), event.result.source))

    def settled_ns(self) -> int:
        """When the last of the sources had given the results that do not count."""
        counts: Counter[str] = Counter()
        settled = 0
        for at, source in self.results:
            counts[source] += 1
            if counts[source] == SETTLED:
                settled = at
        return settled

    def rates(self, begin: int, end: int) -> dict[str, float]:
        """Results a second of each source, after ``begin`` and up to ``end`` (``time.monotonic_ns()``)."""
        counts = Counter(source for at, source in self.results if begin < at <= end)
        return {source: round(count * NS_PER_S / (end - begin), 4) for source, count in sorted(counts.items())}


def shared(segmenter: Segmenter, streets: Sequence[Sequence[Image]], frames: int, fps: float | None) -> dict[str, Any]:
    """One run of some sources: results a second of each, once all of them have settled.

    Args:
        segmenter: Runs the network.
        streets: The frames of each source.
        frames: Results of each source, on average.
        fps: Frames a second of each, where they are cameras.
    """
    arrivals = Arrivals()
    sources = [Memory(f"{number}", images, None, fps) for number, images in enumerate(streets)]
    report = run(sources, segmenter, (), [arrivals], frames=frames * len(streets))
    rates = arrivals.rates(arrivals.settled_ns(), arrivals.results[-1][0])
    return {
        "fps": rates,
        "fps_of_all": round(sum(rates.values()), 4),
        "dropped": [source.dropped for source in report.sources],
    }


def fair(
    segmenter: Segmenter, streets: Sequence[Sequence[Image]], rounds: int, frames: int, *, live: bool
) -> dict[str, Any]:
    """Rounds of all sources, and of one alone with the frames of all, in turns, and what did not hold."""
    mixed = [image for images in zip(*streets, strict=True) for image in images]
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "one": lambda: shared(segmenter, [mixed], frames * len(streets), CAMERA_FPS * len(streets) if live else None),
        "all": lambda: shared(segmenter, streets, frames, CAMERA_FPS if live else None),
    }
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            samples[name].append(ways[name]())
    pairs = zip(samples["all"], samples["one"], strict=True)
    times_one = round(statistics.median(all_["fps_of_all"] / one["fps_of_all"] for all_, one in pairs), 4)
    unfair = round(max(_unfairness(sample["fps"]) for sample in samples["all"]), 4)
    failed = []
    if unfair > UNFAIR:
        failed.append(f"a source is {unfair:.1%} from the mean")
    if times_one < TIE:
        failed.append(f"all together do {times_one} of what one alone does")
    return {"furthest_from_mean": unfair, "times_one": times_one, "failed": failed, "samples": samples}


def one_dies(
    segmenter: Segmenter, streets: Sequence[Sequence[Image]], rounds: int, frames: int, *, live: bool
) -> dict[str, Any]:
    """Rounds in which the last of the sources fails midway, and what did not hold."""
    samples = [_one_dies(segmenter, streets, frames, live=live) for _ in range(rounds)]
    others = list(samples[0]["times_before"])
    times_before = {
        name: round(statistics.median(sample["times_before"][name] for sample in samples), 4) for name in others
    }
    failed = [f"{name} gives {times} of what it gave before" for name, times in times_before.items() if times < 1]
    failed += [f"states are {sample['states']}" for sample in samples if not _as_expected(sample["states"])]
    return {"times_before": times_before, "failed": failed, "samples": samples}


def _one_dies(segmenter: Segmenter, streets: Sequence[Sequence[Image]], frames: int, *, live: bool) -> dict[str, Any]:
    """One run in which the last source fails; the others give as many results afterwards as before, on average."""
    arrivals = Arrivals()
    fps = CAMERA_FPS if live else None
    *others, last = [Memory(f"{number}", images, None, fps) for number, images in enumerate(streets)]
    # a camera gives its frames whether anybody takes them or not
    count, most = (2 * frames, 8 * frames) if live else (frames, 6 * frames)
    dying = Memory(last.id.removeprefix("memory://"), streets[-1], count, fps, SourceError("The cable was pulled."))
    report = run([*others, dying], segmenter, (), [arrivals], frames=most)
    died = max(at for at, source in arrivals.results if source == dying.id)
    before = arrivals.rates(arrivals.settled_ns(), died)
    after = arrivals.rates(died, arrivals.results[-1][0])
    return {
        "fps_before": before,
        "fps_after": after,
        "times_before": {source.id: round(after[source.id] / before[source.id], 4) for source in others},
        "states": {source.uri: source.state for source in report.sources},
    }


def _unfairness(rates: dict[str, float]) -> float:
    mean = statistics.mean(rates.values())
    return max(abs(rate / mean - 1) for rate in rates.values())


def _as_expected(states: dict[str, str]) -> bool:
    *others, last = [states[name] for name in sorted(states)]
    return last == "lost" and set(others) == {"live"}


@click.command()
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option("--size", type=SIZE, default=(384, 480), show_default=True, help="Of the network.")
@click.option("--precision", default="int8", show_default=True)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=40, show_default=True, type=click.IntRange(min=20), help="Of each source in a round.")
@click.option(
    "--cycles", default=1000, show_default=True, type=click.IntRange(min=20), help="Sources that come and go."
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the network; the cores when left out.")
@output_option(RESULTS)
def main(
    model: str,
    size: tuple[int, int],
    precision: str,
    rounds: int,
    frames: int,
    cycles: int,
    threads: int | None,
    output: Path,
) -> None:
    """Put several sources on one engine."""
    result: dict[str, Any] = {
        "machine": machine(threads),
        "model": model,
        "size": list(size),
        "precision": precision,
        "frame_size": list(FRAME_SIZE),
        "camera_fps": CAMERA_FPS,
        "rounds": rounds,
        "frames": frames,
        "failed": [],
    }
    streets = [rendered_street(seed, FRAME_SIZE, DISTINCT) for seed in range(SOURCES)]
    how: dict[str, Any] = {"backend": "onnxruntime", "precision": precision, "size": size, "guard": False}
    keep_freed_memory()
    with owned_thread_pools(), tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "street.mp4"
        write_video(video, streets[0])
        with load(build(model, Path(folder) / "engine", **how).engine, threads=threads) as segmenter:
            parts: dict[str, Callable[[], dict[str, Any]]] = {
                "files: fair": lambda: fair(segmenter, streets, rounds, frames, live=False),
                "files: one dies": lambda: one_dies(segmenter, streets, rounds, frames, live=False),
                "cameras: fair": lambda: fair(segmenter, streets, rounds, frames, live=True),
                "cameras: one dies": lambda: one_dies(segmenter, streets, rounds, frames, live=True),
                "changes": lambda: changes(segmenter, streets[0], video, cycles),
            }
            for name, part in parts.items():
                result[name] = part()
                result["failed"] += [f"{name}: {failed}" for failed in result[name]["failed"]]
                told = {key: value for key, value in result[name].items() if key != "samples"}
                click.echo(f"{name}: {json.dumps(told)}")
    finish(output, result)


if __name__ == "__main__":
    main()
