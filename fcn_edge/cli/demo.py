"""``make demo``: the shipped FCN-8s over a rendered street, then in INT8, and a report of all three shipped models.

It runs on any machine and without any data, and uses what a user would use: the run loop, its sinks, calibration,
``build``, ``bench``, and the rendered street's exact labels. What it prints last is the command that
opens the live page.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.records import over_classes
from fcn_edge.bench.api import Watch, bench
from fcn_edge.bench.report import write_html
from fcn_edge.bench.result import write_result
from fcn_edge.bench.suite import read_suite
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.cli.progress import progress_bar
from fcn_edge.datasets import split_of
from fcn_edge.datasets.halves import halves_of
from fcn_edge.errors import FcnEdgeError, MissingExtraError
from fcn_edge.evaluation.accuracy import evaluate
from fcn_edge.evaluation.rendered_score import RenderedScoring
from fcn_edge.io.files import replacing
from fcn_edge.io.folders import make_folder
from fcn_edge.io.opencv import cv2
from fcn_edge.quantization.api import calibrate
from fcn_edge.runtime.events import Event, FrameDone
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import load
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.system.facts import read_facts
from fcn_edge.system.thread_pools import owned_thread_pools
from fcn_edge.text import command_line

__all__ = ["live_page", "main"]

MODEL = "camvid-mobilenet_v2-fcn8s"
FRAMES = 150
ENGINE, RESULT, REPORT = "engine.int8", "bench.json", "report.html"
STREET = "synthetic://street?seed=110&size=480x640&fps=25"
CALIBRATION_STREET = "synthetic://street?seed=300&size=480x640"
CALIBRATION_IMAGES = 24
JUDGING_STREET = "synthetic://street?seed=700&size=480x640&frames=32&fps=1"
PAGE_STREET = "synthetic://street?seed=110&size=480x640&fps=10&frames=18000"
"""Half an hour, at a rate at which two cores render it beside the network and the browser."""

PAGE = "http://:8080"
PAGE_PACKAGES = ("starlette", "uvicorn", "websockets", "prometheus_client")
MAX_DROP, MAX_CLASS_DROP = 0.02, 0.1
"""What INT8 may lose on rendered streets, where small classes swing more than on real ones."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and print where its results lie; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fcn_edge.cli.demo", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="directory for the results")
    parser.add_argument("--frames", type=int, default=FRAMES, help="frames to render")
    options = parser.parse_args(arguments)
    output: Path = options.output
    try:
        summary = _run(output, options.frames)
    except FcnEdgeError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    int8 = summary["int8"]
    over = over_classes(summary["rendered_classes_present"], summary["rendered_classes"])
    of_int8 = over_classes(int8["classes_present"], int8["classes"])
    lines = (
        f"{MODEL} over {summary['frames']} frames of a rendered street: {summary['fps']:.1f} frames/s",
        f"mIoU against the exact labels: {100 * summary['rendered_miou']:.1f}%{over} "
        "(rendered: it says nothing of real streets)",
        f"INT8, calibrated on {int8['calibration_images']} rendered scenes: {int8['int8_ms']:.1f} ms per frame, beside "
        f"{int8['fp32_ms']:.1f} ms of fp32 ({int8['speedup']:.2f} x), mIoU {100 * int8['int8_miou']:.1f}% beside "
        f"{100 * int8['fp32_miou']:.1f}% on rendered scenes{of_int8}",
        f"Three decoders, FP32 and INT8, latency against accuracy: {output}/{REPORT}",
        f"Wrote {output}/out.mp4, {output}/street.png, {output}/summary.json, {output}/{ENGINE}/, {output}/{RESULT}",
        live_page(Path(sys.executable)),
    )
    print("\n".join(lines))  # noqa: T201
    return 0


def _run(output: Path, frames: int) -> dict[str, Any]:
    make_folder(output)
    address = f"{STREET}&frames={frames}"
    scoring = RenderedScoring()
    with (
        owned_thread_pools(),
        load(MODEL) as segmenter,
        tqdm(total=frames, unit="frame", desc="demo", leave=False) as bar,
    ):

        def watched(event: Event) -> None:
            if isinstance(event, FrameDone):
                bar.update()
                if event.result.index == frames // 2:
                    _write_picture(output / "street.png", _picture(event.result))

        report = run(
            address,
            segmenter,
            str(output / "out.mp4"),
            [scoring, watched],
            overlays=Overlays(0.5, True),
            session=segmenter.session,
        )
        report.raise_error()
    summary: dict[str, Any] = {
        "model": MODEL,
        "source": address,
        **report.to_json(),
        **scoring.to_json(),
        "rendered": True,
        "int8": _int8(output),
        "report_rows": _report(output),
        "backend": segmenter.backend,
        "machine": read_facts().to_json(),
    }
    with replacing(output / "summary.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _int8(output: Path) -> dict[str, Any]:
    """Calibrate on rendered scenes, build INT8, and compare it with fp32."""
    model = resolved_model(MODEL)
    with owned_thread_pools():
        table_path = output / "calibration.json"
        with progress_bar("calibrating") as progress, progress_bar("clipping", unit="graph") as clipping:
            table = calibrate(
                model, CALIBRATION_STREET, table_path, count=CALIBRATION_IMAGES, progress=progress, clipping=clipping
            )
        scenes = split_of(JUDGING_STREET)
        request = BuildRequest(
            precision="int8",
            calibration=table_path,
            evaluation=scenes,
            max_drop=MAX_DROP,
            max_class_drop=MAX_CLASS_DROP,
        )
        built = build_engine(model, request, output=output / ENGINE)
        assert built.manifest.accuracy is not None
        # where INT8 lost too much, one half of the scenes was searched on; both precisions are scored on the same ones
        judging = scenes if built.manifest.accuracy.images == len(scenes) else halves_of(scenes)[1]
        with load(model) as segmenter:
            fp32_accuracy = evaluate(segmenter.session, judging)
    kept = next(candidate for candidate in built.candidates if candidate.kept)
    fp32 = next(candidate for candidate in built.candidates if candidate.precision == "fp32")
    assert kept.end_to_end_ms is not None
    assert fp32.end_to_end_ms is not None
    return {
        "backend": kept.backend,
        "calibration_images": len(table.images),
        "int8_share": kept.int8_share,
        "int8_ms": kept.end_to_end_ms,
        "fp32_ms": fp32.end_to_end_ms,
        "speedup": fp32.end_to_end_ms / kept.end_to_end_ms,
        "int8_miou": kept.miou,
        "fp32_miou": fp32_accuracy.scores.mean_iou,
        "classes_present": fp32_accuracy.scores.classes_present,
        "classes": len(fp32_accuracy.per_class),
        "guard": built.manifest.guard,
    }


def _report(output: Path) -> int:
    """Measure all three models in FP32 and INT8 and write the report; how many rows it has."""
    name, suite = read_suite("demo")
    with progress_bar("measuring", "row") as measuring:
        result = bench(suite, name, folder=output / "bench", watch=Watch(measuring=measuring))
    write_result(output / RESULT, result)
    write_html(result, output / REPORT)
    return sum(row.state == "measured" for row in result.rows)


def live_page(python: Path) -> str:
    """How to open the live page on the demo's street, the command last; or how to install what the page needs.

    Args:
        python: The interpreter, beside which ``fcn-edge`` stands.
    """
    for package in PAGE_PACKAGES:
        if find_spec(package) is None:
            return str(MissingExtraError(package, "web", "The live page"))
    program = python.with_name("fcn-edge")
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    command = command_line(program, "run", MODEL, PAGE_STREET, PAGE)
    return f"See it live, on a page at {PAGE.replace('//:', '//127.0.0.1:')}/ while this runs:\n{command}"


def _picture(result: Result) -> NDArray[np.uint8]:
    """The frame beside its overlay with a legend."""
    overlay = result.overlay(alpha=0.6, legend=True)
    return np.hstack([result.segmentation.frame, overlay])


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(cv2().imencode(path.suffix, picture)[1].tobytes())


if __name__ == "__main__":
    sys.exit(main())
