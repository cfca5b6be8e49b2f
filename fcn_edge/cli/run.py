"""``fcn-edge run``: masks for a video, folder, camera or rendered street."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.verb import SIZE, failure, note, say, stopped, verb
from fcn_edge.errors import FcnEdgeError, UsageError

if TYPE_CHECKING:
    from fcn_edge.evaluation.rendered_score import RenderedScore
    from fcn_edge.runtime.pipeline import Pipeline
    from fcn_edge.runtime.sinks import Sink

__all__ = ["command"]

STDOUT = "-"


@click.command(
    epilog="Example: fcn-edge run camvid-mobilenet_v2-fcn8s drive.mp4 out.mp4 masks/ --size 512x1024",
)
@click.argument("model")
@click.argument("source")
@click.argument("sinks", metavar="[SINK]...", nargs=-1)
@click.option("--size", type=SIZE, help="Network size; the model's own when left out.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many frames.")
@click.option("--for", "seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this many seconds.")
@click.option("--backend", default="auto", show_default=True, help="What runs the network.")
@click.option(
    "--device",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="GPU that runs it, counted from 0 as CUDA does.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of a CPU backend; one a core when left out.")
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Opacity of the classes.")
@click.option("--legend/--no-legend", default=True, show_default=True, help="Name the classes in overlays.")
@click.option(
    "--unknown-below", type=click.FloatRange(0, 1), metavar="P", help="Less confident pixels get the void label."
)
@verb
def command(
    model: str,
    source: str,
    sinks: tuple[str, ...],
    size: tuple[int, int] | None,
    frames: int | None,
    seconds: float | None,
    backend: str,
    device: int,
    threads: int | None,
    alpha: float,
    legend: bool,
    unknown_below: float | None,
) -> dict[str, Any]:
    """Masks for every frame of SOURCE, to every SINK.

    MODEL is a shipped name, an .onnx file or an engine directory. SOURCE is a video, an image, a folder of images, a
    camera (0, /dev/video0) or synthetic://street?seed=3&size=480x640&frames=200&fps=25. SINK is a video (out.mp4), a
    folder for masks, out.png where SOURCE is one image, - for one JSON object per frame, display, or null:. Without one
    the run only measures.
    """
    from fcn_edge.evaluation.rendered_score import RenderedScore
    from fcn_edge.runtime.pipeline import Pipeline
    from fcn_edge.runtime.segmenter import load
    from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
    from fcn_edge.runtime.sources import open_source
    from fcn_edge.system.thread_pools import owned_thread_pools

    if len({Path(text).resolve() for text in sinks}) < len(sinks):
        raise UsageError("A SINK is named twice.", "Name each once.")
    with owned_thread_pools(), ExitStack() as stack:
        segmenter = stack.enter_context(load(model, size=size, backend=backend, threads=threads, device=device))
        opened = stack.enter_context(open_source(source))
        context = SinkContext(
            Overlays(alpha, legend), fps=opened.fps, single=1 in (frames, opened.length), reads=opened.files
        )
        segmenter.warm_up(opened.size)
        # left in reverse order: the sinks are whole even where a source keeps its thread waiting
        pipeline = stack.enter_context(
            Pipeline(segmenter.session, opened, frames=frames, seconds=seconds, unknown_below=unknown_below)
        )
        outputs = [stack.enter_context(open_sink(text, context)) for text in sinks]
        score = RenderedScore(opened.classes, segmenter.spec.classes)
        ended = _drain(pipeline, outputs, score, total=min(filter(None, (frames, opened.length)), default=None))
    # the sinks are closed here: what is said of them below is true
    result = pipeline.statistics.report([opened.report()])
    if score.miou is not None:
        result["rendered_miou"] = round(score.miou, 6)
    result |= ended
    to_stdout = STDOUT in sinks
    _tell(result, sinks, note if to_stdout else say)
    if to_stdout and not _as_json():
        click.echo(json.dumps(result))
    return result


def _drain(pipeline: Pipeline, sinks: Sequence[Sink], score: RenderedScore, total: int | None) -> dict[str, Any]:
    """Take all results.

    Returns:
        How it ended: nothing, or what the report says of an error or Ctrl-C that came after the first result.

    Raises:
        FcnEdgeError: Something failed before the first result, or a traceback was asked for.
    """
    from tqdm import tqdm

    hidden = _as_json() or not sys.stderr.isatty()
    try:
        with tqdm(total=total, unit="frame", desc="run", disable=hidden, leave=False, dynamic_ncols=True) as bar:
            for result in pipeline:
                for sink in sinks:
                    sink.write(result)
                score.update(result)
                bar.update()
                if any(sink.ended for sink in sinks):
                    break
    except KeyboardInterrupt:
        return stopped()
    except FcnEdgeError as error:
        if not pipeline.statistics.frames or click.get_current_context().params["debug"]:
            raise
        return failure(error)
    return {}


def _as_json() -> bool:
    return bool(click.get_current_context().ensure_object(dict).get("json"))


def _tell(result: dict[str, Any], sinks: Sequence[str], tell: Callable[[str], None]) -> None:
    if "exit_code" in result and "error" not in result:
        tell("Interrupted.")
    count = result["frames"]
    dropped = f", {result['dropped']} dropped" if result["dropped"] else ""
    tell(f"{count} frame{'s' * (count != 1)} in {result['seconds']:.2f} s: {result['fps']:.1f} frames/s{dropped}")
    if count:
        latency = result["latency_ms"]
        tell(f"Capture to mask, ms: {latency['p50']:.1f} (p50), {latency['p90']:.1f} (p90), {latency['p99']:.1f} (p99)")
        stages = ", ".join(f"{name} {value:.1f}" for name, value in result["stages_ms"].items())
        tell(f"Stages, ms (p50): {stages}")
    if "rendered_miou" in result:
        tell(f"mIoU against the rendered labels: {100 * result['rendered_miou']:.1f}%")
    files = [text for text in sinks if text not in (STDOUT, "display", "null:", "null")]
    if files and count:
        tell(f"Wrote {', '.join(files)}")
