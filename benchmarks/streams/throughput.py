"""What a pipeline keeps of the speed of its network: ``fcn-edge run`` on a video against a bare loop over its frames.

    python -m benchmarks.streams.throughput [--rounds 7] [-o benchmarks/results/streams/throughput.json]

One process on the CPU, under the thread pools and the allocator's setting of ``fcn-edge run``. In every round each of
these goes through the same frames, in the session of one loaded engine, in an order that turns from round to round:

bare    ``session.labels(frame)`` for one frame after the other, all of them decoded and in memory: brought to the
        network's size, through the network, scores to a mask in the frame's own pixels. Nothing else.
usual   the same, and before each frame ``cv2.VideoCapture.read``: one thread, for comparison only.
null    ``fcn_edge.run(video, segmenter, "null:")``, the loop of the command: the video is decoded and converted to BGR,
        and every frame gets its mask.
mp4     the same with ``"out.mp4"``: overlay with a legend, encoded in H.264, the file complete.

The two runs are timed from the event ``Started`` (the file is open, its first frame decoded) to ``Ended`` (every sink
is closed, every thread has ended). The video is H.264 by libx264 with its default preset, of the size of the network's
input, rendered here. Shares of bare are medians over the rounds of both speeds in the same round.

CPU time by stage comes from one more run of each, in which calls are timed by the clock of their thread, and the
threads of ONNX Runtime (``infer``), of FFmpeg's decoder (``decode``) and of the video sink (``encode``) by the system.
``read and convert`` is what reading takes in the thread that reads: packets to the decoder, its pictures to BGR. What
belongs to no stage is ``rest``: queues, events, threads that are woken.

A frame that is missing or dropped, or a share below its bar, fails the script; ``failed`` in the results says which.
Nothing else should run meanwhile.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import click
import cv2
import numpy as np
from typing_extensions import override

from benchmarks.machine import machine
from benchmarks.streams.cpu_times import StageTimes, ThreadTimes
from benchmarks.streams.memory import Image, rendered_street
from benchmarks.streams.verdict import finish, output_option, result_path
from fcn_edge.backends.base import Session
from fcn_edge.builder.api import build
from fcn_edge.cli.verb import SIZE
from fcn_edge.runtime.events import Ended, Event, Started
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter, load
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.runtime.sources import open_source
from fcn_edge.system.allocator import keep_freed_memory
from fcn_edge.system.thread_pools import owned_thread_pools

RESULTS = result_path("throughput")
DECODER_THREADS = "av:"
ENCODER_THREAD = "fcn-edge video"
FPS = 25
TOLD = ("median_fps", "of_bare", "of_bare_range", "failed", "cpu_ms_by_stage")
BARS = {("fp32", "null"): 0.92, ("int8", "null"): 0.88, ("fp32", "mp4"): 0.75, ("int8", "mp4"): 0.75}
"""The least share of the bare loop's speed, by precision and sink."""


def write_video(path: Path, images: Sequence[Image]) -> None:
    """An H.264 video of these ``(H, W, 3)`` uint8 BGR images, with libx264's defaults."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))


@dataclass
class Stretch:
    """Wall and CPU time of a stretch of this process.

    Attributes:
        seconds: Wall time.
        cpu_seconds: CPU time of all threads.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def begin(self) -> None:
        """Begin it."""
        self.seconds, self.cpu_seconds = -time.perf_counter(), -time.process_time()

    def end(self) -> None:
        """End it."""
        self.seconds += time.perf_counter()
        self.cpu_seconds += time.process_time()

    def __call__(self, event: Event) -> None:
        """Begin and end with a run, as its listener."""
        if isinstance(event, Started):
            self.begin()
        elif isinstance(event, Ended):
            self.end()

    def sample(self, frames: int) -> dict[str, Any]:
        """What the results hold of it."""
        return {"fps": round(frames / self.seconds, 3), "cpu_ms": round(1000 * self.cpu_seconds / frames, 3)}


class Contenders:
    """The four ways through one engine.

    Args:
        segmenter: The engine.
        video: The file.
        frames: Its frames, as the source gives them.
        folder: Where videos go.
    """

    def __init__(self, segmenter: Segmenter, video: Path, frames: Sequence[Image], folder: Path) -> None:
        self._segmenter, self._video, self._frames, self._folder = segmenter, video, frames, folder
        self.ways: dict[str, Callable[[], dict[str, Any]]] = {
            "bare": self._bare,
            "usual": self._usual,
            "null": lambda: self._run("null"),
            "mp4": lambda: self._run("mp4"),
        }

    def stages(self, way: str) -> dict[str, float]:
        """CPU milliseconds of a frame by stage, of one pass of its own."""
        stages, stretch = StageTimes(), Stretch()
        with self._segmenter.session_for_stream() as session, ThreadTimes() as threads:
            stages.watch(session, preprocess="preprocess", infer="infer", postprocess="postprocess")
            if way == "bare":
                self._through(session, stretch)
            else:
                with open_source(str(self._video)) as connection:
                    stages.watch(connection, read="read and convert")
                    overlays = _TimedOverlays(stages)
                    run(connection, self._segmenter, self._sinks(way), [stretch], overlays=overlays, session=session)
        told = dict(stages.seconds)
        for name, seconds in threads.native.items():
            stage = "decode" if name.startswith(DECODER_THREADS) else "infer"
            told[stage] = told.get(stage, 0.0) + seconds
        if ENCODER_THREAD in threads.python:
            told["encode"] = threads.python[ENCODER_THREAD]
        told["rest"] = stretch.cpu_seconds - sum(told.values())
        return {name: round(1000 * seconds / len(self._frames), 3) for name, seconds in told.items()}

    def _bare(self) -> dict[str, Any]:
        stretch = Stretch()
        self._through(self._segmenter.session, stretch)
        return stretch.sample(len(self._frames))

    def _through(self, session: Session, stretch: Stretch) -> None:
        stretch.begin()
        for frame in self._frames:
            session.labels(frame)
        stretch.end()

    def _usual(self) -> dict[str, Any]:
        session, stretch, done = self._segmenter.session, Stretch(), 0
        capture = cv2.VideoCapture(str(self._video), cv2.CAP_FFMPEG)
        stretch.begin()
        while True:
            more, frame = capture.read()
            if not more:
                break
            session.labels(np.asarray(frame, np.uint8))
            done += 1
        stretch.end()
        capture.release()
        return stretch.sample(done)

    def _sinks(self, way: str) -> list[str]:
        return ["null:"] if way == "null" else [str(self._folder / "out.mp4")]

    def _run(self, way: str) -> dict[str, Any]:
        stretch, session = Stretch(), self._segmenter.session
        [sink] = self._sinks(way)
        report = run(str(self._video), self._segmenter, sink, [stretch], overlays=Overlays(0.5, True), session=session)
        report.raise_error()
        dropped = report.statistics.dropped + sum(one.dropped for one in report.sinks)
        written = report.frames if way == "null" else frames_in(Path(sink))
        return {**stretch.sample(report.frames), "frames": report.frames, "written": written, "dropped": dropped}


class _TimedOverlays(Overlays):
    def __init__(self, stages: StageTimes) -> None:
        super().__init__(0.5, True)
        self._stages = stages

    @override
    def __call__(self, result: Result) -> Image:
        with self._stages.stage("overlay"):
            return super().__call__(result)


def frames_in(path: Path) -> int:
    """Frames that a video holds, all of them decoded."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def compared(contenders: Contenders, rounds: int, bars: Mapping[str, float], frames: int) -> dict[str, Any]:
    """Rounds of all ways in turns, their medians, and what did not hold.

    Args:
        contenders: The ways.
        rounds: How many.
        bars: The least share of bare's speed, by way.
        frames: Frames that each run must process and write.
    """
    for way in contenders.ways.values():
        way()
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders.ways}
    for turn in range(rounds):
        names = list(samples)
        first = turn // 2 % len(names)
        for name in (names[first:] + names[:first])[:: -1 if turn % 2 else 1]:
            samples[name].append(contenders.ways[name]())
    fps = {name: [sample["fps"] for sample in several] for name, several in samples.items()}
    shares = {
        name: [way / bare for way, bare in zip(several, fps["bare"], strict=True)] for name, several in fps.items()
    }
    of_bare = {name: round(statistics.median(several), 4) for name, several in shares.items()}
    whole = {"frames": frames, "written": frames, "dropped": 0}
    return {
        "median_fps": {name: round(statistics.median(several), 3) for name, several in fps.items()},
        "of_bare": of_bare,
        "of_bare_range": {name: [round(min(several), 4), round(max(several), 4)] for name, several in shares.items()},
        "failed": [
            *(f"{name}: {of_bare[name]} of bare, {bar} expected" for name, bar in bars.items() if of_bare[name] < bar),
            *(
                f"{name}: {sample} where {whole} was expected"
                for name in bars
                for sample in samples[name]
                if any(sample[what] != count for what, count in whole.items())
            ),
        ],
        "cpu_ms_by_stage": {name: contenders.stages(name) for name in ("bare", *bars)},
        "samples": samples,
    }


@click.command()
@click.option("--model", default="camvid-mobilenet_v2-fcn8s", show_default=True, help="A shipped name or .onnx file.")
@click.option("--size", type=SIZE, default=(512, 1024), show_default=True, help="Of the network and of the video.")
@click.option("--precision", "precisions", multiple=True, default=["fp32", "int8"], show_default=True)
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=100, show_default=True, type=click.IntRange(min=2), help="Of the video.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the network; the cores when left out.")
@output_option(RESULTS)
def main(
    model: str,
    size: tuple[int, int],
    precisions: tuple[str, ...],
    rounds: int,
    frames: int,
    threads: int | None,
    output: Path,
) -> None:
    """Compare the pipeline with a bare loop over the same frames."""
    result: dict[str, Any] = {
        "machine": machine(threads),
        "model": model,
        "size": list(size),
        "rounds": rounds,
        "frames": frames,
        "failed": [],
        "rows": [],
    }
    keep_freed_memory()
    with owned_thread_pools(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = folder / "street.mp4"
        write_video(video, rendered_street(8, size, frames, (max(size[0] // 2, 32), max(size[1] // 2, 32))))
        with open_source(str(video)) as source:
            images = [np.asarray(frame.image, np.uint8) for frame in source]
        for precision in precisions:
            how: dict[str, Any] = {"backend": "onnxruntime", "precision": precision, "size": size, "guard": False}
            with load(build(model, folder / precision, **how).engine, threads=threads) as segmenter:
                bars = {way: bar for (of, way), bar in BARS.items() if of == precision}
                row = compared(Contenders(segmenter, video, images, folder), rounds, bars, frames)
            result["rows"].append({"precision": precision, **row})
            result["failed"] += [f"{precision} {failed}" for failed in row["failed"]]
            click.echo(json.dumps({"precision": precision, **{name: row[name] for name in TOLD}}))
    finish(output, result)


if __name__ == "__main__":
    main()
