"""``fcn-edge run``: masks for a video, folder, camera or rendered street."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.live_page import PageRequest, page_request, read_run_token
from fcn_edge.cli.quantities import BYTES, DURATION
from fcn_edge.cli.run_progress import FrameCount, progress_of_frames, troubles_of_sources
from fcn_edge.cli.streams import discard_output
from fcn_edge.cli.verb import SIZE, failure, note, say, stopped, verb
from fcn_edge.errors import ArtifactError, MachineError, SourceError, UsageError
from fcn_edge.io.json_text import json_text

if TYPE_CHECKING:
    from fcn_edge.artifacts.spec import Size
    from fcn_edge.runtime.events import Listener
    from fcn_edge.runtime.report import Report, SinkReport
    from fcn_edge.runtime.segmenter import Segmenter
    from fcn_edge.runtime.sinks import Overlays, Sink
    from fcn_edge.runtime.source_set import Sources

__all__ = ["command"]

STDOUT = "-"
FEW_FILES = 3
LONGEST = 1e9
"""Seconds that a run may last: 31 years."""


def _checked_seconds(_context: click.Context, _option: click.Parameter, seconds: float | None) -> float | None:
    # a comparison that is false for NaN too
    if seconds is not None and not seconds <= LONGEST:
        raise click.BadParameter(f"{seconds:g} is no time that ends. Leave the option out to go to the end of SOURCE.")
    return seconds


def _checked_age(_context: click.Context, _option: click.Parameter, age: float | None) -> float | None:
    # a comparison that is false for NaN too
    if age is not None and not age < math.inf:
        raise click.BadParameter(f"{age:g} is no age. Leave the option out to keep every mask.")
    return age


@click.command(
    epilog="Example: fcn-edge run camvid-mobilenet_v2-fcn8s drive.mp4 out.mp4 masks/ --size 512x1024",
)
@click.argument("model")
@click.argument("source")
@click.argument("sinks", metavar="[SINK]...", nargs=-1)
@click.option(
    "--source",
    "more",
    multiple=True,
    metavar="SOURCE",
    help="A further source beside SOURCE; they share the network in turns. May be given several times.",
)
@click.option(
    "--fallback",
    metavar="MODEL",
    help="Model to run, with a warning, where MODEL cannot be: an engine of another TensorRT, a GPU that is not there.",
)
@click.option("--size", type=SIZE, help="Network size; the model's own when left out.")
@click.option("--frames", type=click.IntRange(min=1), help="Stop after this many frames.")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    callback=_checked_seconds,
    help="Stop after this many seconds.",
)
@click.option("--backend", default="auto", show_default=True, help="What runs the network.")
@click.option(
    "--device",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="GPU that runs it, counted from 0 as CUDA does.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of a CPU backend; one per core when left out.")
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Opacity of the classes.")
@click.option("--legend/--no-legend", default=True, show_default=True, help="Name the classes in overlays.")
@click.option(
    "--unknown-below", type=click.FloatRange(0, 1), metavar="P", help="Less confident pixels get the void label."
)
@click.option("--segment", type=DURATION, metavar="TIME", help="Start a new video file after this time, such as 10m.")
@click.option(
    "--keep", type=BYTES, metavar="SIZE", help="Delete the oldest segments of a video beyond this size, such as 20GB."
)
@click.option(
    "--webhook",
    metavar="URL",
    help="Post a JSON object there whenever a source's state or grade changes.",
)
@click.option("--realtime", is_flag=True, help="Play a file at the pace of its own times, like a camera.")
@click.option(
    "--max-age",
    type=click.FloatRange(min=0, min_open=True),
    callback=_checked_age,
    metavar="MS",
    help="Drop masks older than this, counted from the capture.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with the token that protects the live page and RTSP; FCN_EDGE_TOKEN is taken when left out.",
)
@click.option(
    "--allow-source",
    "allowed",
    multiple=True,
    metavar="PATTERN",
    help="Addresses that the live page may add, such as 'rtsp://10.0.0.*/*'; the run then waits for further ones.",
)
@verb
def command(
    model: str,
    source: str,
    sinks: tuple[str, ...],
    more: tuple[str, ...],
    fallback: str | None,
    size: tuple[int, int] | None,
    frames: int | None,
    seconds: float | None,
    backend: str,
    device: int,
    threads: int | None,
    alpha: float,
    legend: bool,
    unknown_below: float | None,
    segment: float | None,
    keep: int | None,
    webhook: str | None,
    realtime: bool,
    max_age: float | None,
    token_file: Path | None,
    allowed: tuple[str, ...],
) -> dict[str, Any]:
    """Masks for every frame of SOURCE, to every SINK.

    MODEL is a shipped name, an .onnx file or an engine directory. SOURCE is a video, an image, a folder of images, a
    video stream on standard input (-) or a named pipe, a camera (0, '/dev/video0#size=720x1280&fps=30', csi://0,
    'rtsp://user:password@camera/stream#transport=udp'), an http(s) address of a video, MJPEG or HLS, a pipeline of
    GStreamer ('gst://...') or synthetic://street?seed=3&size=480x640&frames=200&fps=25. Each takes
    #roi=TOP,LEFT,HEIGHTxWIDTH and #flip=horizontal behind it, files #loop=true and #fps=5. SINK is a video (out.mp4), a
    folder for masks, out.png where SOURCE is one image, - for one JSON object per frame, display, null:, a live page
    in the browser (http://:8080; http://0.0.0.0:8080 for other machines, with --token-file), a video that others open
    (rtsp://:8554/street), or a server that it is pushed to (rtsp://host:8554/street). Without one the run only
    measures. With --segment, out.mp4 becomes out-000000.mp4, out-000001.mp4 and so on. A video is encoded
    by the machine's own encoder where that works, else by libx264; out.mp4#encoder=libx264 takes this one.

    A camera that was live once is connected again whenever it is lost. What becomes of it is told on standard error. Of
    several sources (--source), one that fails leaves the others, and each has files of its own: out-front.mp4 and
    masks/front for 'rtsp://...#name=front'.
    """
    from fcn_edge.evaluation.rendered_score import RenderedScoring
    from fcn_edge.runtime import runner
    from fcn_edge.runtime.service import ServiceNotifier
    from fcn_edge.runtime.sinks import Overlays, check_series, checked_sinks, is_stream
    from fcn_edge.runtime.source_set import Sources
    from fcn_edge.runtime.sources import SourceAddress
    from fcn_edge.system.allocator import keep_freed_memory
    from fcn_edge.system.thread_pools import owned_thread_pools

    for one in filter(None, (model, fallback)):
        _refuse_address(one)
    keep_freed_memory()
    addresses = [SourceAddress.of(one) for one in (source, *more)]
    # says what is wrong with them before the model is loaded, as the next line does of the sinks
    live = [address.connection().live for address in addresses]
    told = any(live) or len(live) > 1
    token = read_run_token(token_file)
    request, others = page_request(addresses, sinks, token, allowed)
    if (request is not None or any(map(is_stream, others))) and not all(live) and not realtime:
        note("Files are played at their own pace, as cameras would give them, because somebody may watch.")
        realtime = True
    check_series(checked_sinks(others), segment, keep)
    sources = Sources(*addresses, stay=bool(allowed), fixed=not allowed)
    overlays = Overlays(alpha, legend)
    scoring = RenderedScoring()
    watch = FrameCount()
    with (
        _posting(webhook) as posted,
        _ended_before_the_first_frame(addresses[0].text, watch),
        owned_thread_pools(),
        _loaded(model, fallback, size, threads, backend=backend, device=device) as (segmenter, failed),
        progress_of_frames(_as_json()) as progress,
        ServiceNotifier() as service,
        _page(request, segmenter, sources, overlays) as pages,
    ):
        report = runner.run(
            sources,
            segmenter,
            [*others, *pages],
            [progress, scoring, watch, *([troubles_of_sources(alone=not more)] if told else []), service, *posted],
            frames=frames,
            seconds=seconds,
            unknown_below=unknown_below,
            realtime=realtime,
            max_age=None if max_age is None else max_age / 1000,
            overlays=overlays,
            session=segmenter.session,
            segment=segment,
            keep=keep,
            token=token,
        )
    if any(sink.sink == STDOUT and sink.error is not None for sink in report.sinks):
        # nobody reads it: the summary would wait for ever, and once more at the interpreter's end
        discard_output(sys.stdout)
    result = report.to_json()
    result |= {"model": fallback if failed else model, "backend": segmenter.backend, "fallback_because": failed}
    result |= scoring.to_json()
    result |= _ending(report)
    to_stdout = STDOUT in sinks
    written = [_written(sink) for sink in report.sinks if sink.wrote and sink.error is None]
    _tell(result, written, note if to_stdout else say)
    if to_stdout and not _as_json():
        click.echo(json_text(result))
    return result


@contextmanager
def _loaded(
    model: str, fallback: str | None, size: Size | None, threads: int | None, **where: Any
) -> Iterator[tuple[Segmenter, str | None]]:
    """The model, or where it cannot be used the other one, on whatever runs it best; and why that is, else None."""
    from fcn_edge.runtime.segmenter import load

    failed = None
    try:
        segmenter = load(model, size=size, threads=threads, **where)
    # of usage, too: an engine that was built for another size than the one that is asked for now is no picture either
    except (ArtifactError, MachineError, UsageError) as error:
        if fallback is None:
            raise
        failed = error.message
        note(f"Warning: {error.message} {error.fix}")
        segmenter = load(fallback, size=size, threads=threads)
        note(f"Warning: {fallback} runs in its place, which may be much slower, until this is started again.")
    with segmenter:
        yield segmenter, failed


def _refuse_address(model: str) -> None:
    """Say that MODEL and SOURCE changed places, without the password that the address may hold."""
    from fcn_edge.io.redaction import without_passwords

    if "://" in model:
        raise UsageError(
            f"{without_passwords(model)} is an address; a model was expected.",
            "MODEL comes first, then SOURCE, then the SINKs.",
        )


@contextmanager
def _page(
    request: PageRequest | None, segmenter: Segmenter, sources: Sources, overlays: Overlays
) -> Iterator[list[Sink]]:
    """The live page, where one was asked for."""
    if request is None:
        yield []
        return
    with request.page(segmenter, sources, overlays) as page:
        yield [page]


@contextmanager
def _posting(url: str | None) -> Iterator[list[Listener]]:
    """The listeners that post elsewhere what happens."""
    if url is None:
        yield []
        return
    from fcn_edge.runtime.webhook import Webhook

    with Webhook(url) as webhook:
        yield [webhook]


def _ending(report: Report) -> dict[str, Any]:
    """What the JSON object says of the end: nothing, the error, or that it was stopped.

    Raises:
        FcnEdgeError: The run failed, and a traceback was asked for.
    """
    if report.error is not None:
        if click.get_current_context().params["debug"]:
            report.raise_error()
        return failure(report.error)
    ending = stopped() if report.interrupted else {"exit_code": 0}
    if not report.frames and not ending["exit_code"]:
        late = report.statistics.late
        return failure(_all_late(report.sources[0].uri, late) if late else _no_frame(report.sources[0].uri))
    return ending if report.interrupted else {}


@contextmanager
def _ended_before_the_first_frame(uri: str, watch: FrameCount) -> Iterator[None]:
    """What SIGTERM while the model is loaded or the source connected comes to: a run without a frame."""
    try:
        yield
    except KeyboardInterrupt:
        if watch.frames or stopped()["exit_code"]:  # while everything is closed, or by Ctrl-C
            raise
        raise _no_frame(uri) from None


def _no_frame(uri: str) -> SourceError:
    return SourceError(f"{uri} gave no frame before the run ended.", "Give it more time, or check it.")


def _all_late(uri: str, late: int) -> SourceError:
    return SourceError(
        f"No mask of {uri} was young enough: all {late} were older than --max-age when they were ready.",
        "Allow more, or take a faster model or a smaller --size.",
    )


def _as_json() -> bool:
    return bool(click.get_current_context().ensure_object(dict).get("json"))


def _written(sink: SinkReport) -> str:
    """What a sink wrote, however many files these are, and what it left out."""
    wrote = ", ".join(sink.wrote)
    if len(sink.wrote) > FEW_FILES:
        wrote = f"{sink.wrote[0]} to {sink.wrote[-1]} ({len(sink.wrote)} files)"
    return f"{wrote} without {sink.dropped} frames that it had no time for" if sink.dropped else wrote


def _tell(result: dict[str, Any], written: Sequence[str], tell: Callable[[str], None]) -> None:
    if "exit_code" in result and "error" not in result:
        tell("Interrupted.")
    count = result["frames"]
    lost = "".join(f", {result[what]} {what}" for what in ("dropped", "late") if result[what])
    tell(f"{count} frame{'s' * (count != 1)} in {result['seconds']:.2f} s: {result['fps']:.1f} frames/s{lost}")
    for source in result["sources"]:
        if len(result["sources"]) > 1:
            grade = f", {source['grade']}" if source["grade"] else ""
            frames = f"{source['frames']} frame{'s' * (source['frames'] != 1)}"
            tell(f"{source['uri']}: {frames}, {source['dropped']} dropped, {source['state']}{grade}")
        if source["damaged"] and not Path(source["uri"]).is_dir():  # of a folder, the error says it
            places = f"{source['damaged']} place{'s' * (source['damaged'] != 1)}"
            tell(f"{source['uri']} is damaged in {places}: skipped, or shown as far as it could be read.")
    if count:
        latency = result["latency_ms"]
        tell(f"Capture to mask, ms: {latency['p50']:.1f} (p50), {latency['p90']:.1f} (p90), {latency['p99']:.1f} (p99)")
        stages = ", ".join(f"{name} {value:.1f}" for name, value in result["stages_ms"].items())
        tell(f"Stages, ms (p50): {stages}")
    if "rendered_miou" in result:
        from fcn_edge.artifacts.records import over_classes

        over = over_classes(result["rendered_classes_present"], result["rendered_classes"])
        tell(f"mIoU against the rendered labels: {100 * result['rendered_miou']:.1f}%{over}")
    if written and count:
        tell(f"Wrote {', '.join(written)}")
