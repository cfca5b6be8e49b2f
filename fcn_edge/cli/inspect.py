"""``fcn-edge inspect``: what is in a model, a checkpoint or an engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.verb import say, verb

if TYPE_CHECKING:
    from fcn_edge.artifacts.inspection import Inspection
    from fcn_edge.artifacts.spec import Resize
    from fcn_edge.backends.tensorrt.dla import DlaReport

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge inspect camvid-mobilenet_v2-fcn8s")
@click.argument("model")
@click.option("--dla", is_flag=True, help="Which layers the DLA of a Jetson Orin could take; nothing is built for it.")
@verb
def command(model: str, dla: bool) -> dict[str, Any]:
    """Say what is in MODEL: a shipped name, an .onnx file, an engine directory or a .safetensors checkpoint.

    Nothing is loaded or run: headers are read and hashes are checked. A damaged artifact ends with exit code 3.
    """
    from fcn_edge.artifacts.inspection import inspection_of

    inspection = inspection_of(model)
    report = _dla_report(inspection) if dla else None
    rows = [*_rows(inspection), *(() if report is None else _dla_rows(report))]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        say(f"{name:<{width}}  {text}")
    return {**inspection.to_json(), **({} if report is None else {"dla": report.to_json()})}


def _dla_report(inspection: Inspection) -> DlaReport:
    from fcn_edge.errors import UsageError

    if inspection.path.suffix != ".onnx":
        raise UsageError(
            f"{inspection.path} holds no ONNX graph; --dla needs one.",
            "Give the shipped name or the .onnx file that it was made from.",
        )
    from fcn_edge.backends.tensorrt.dla import dla_report

    return dla_report(inspection.path, inspection.size)


def _dla_rows(report: DlaReport) -> Iterator[tuple[str, str]]:
    from fcn_edge.backends.tensorrt.dla.report import MOST_PIECES, RELEASES, RULES
    from fcn_edge.text import listed

    yield "DLA", f"what the DLA of an Orin could take by the rules of {RULES}; nothing is built for it"
    share = "" if report.macs_share is None else f" with {report.macs_share:.1%} of the multiplications"
    yield "taken", f"{report.taken} of {len(report.layers)} layers{share}"
    most = f"; a core holds {MOST_PIECES} at most" if report.pieces > MOST_PIECES else ""
    works = "the GPU works between them" if report.pieces > 1 else "the GPU works before and behind it"
    if report.pieces:
        yield "pieces", f"{report.pieces} ({works}){most}"
    against: dict[tuple[str, str], list[str]] = {}
    for layer in report.layers:
        if not layer.taken:
            against.setdefault((layer.operator, layer.reason), []).append(layer.name)
    for number, ((operator, reason), names) in enumerate(against.items()):
        yield "" if number else "not taken", f"{operator} {listed(names, 3)}: {reason}"
    for number, release in enumerate(RELEASES):
        yield "" if number else "where", release


def _rows(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """What people want to know, by name; a name may be empty where its line goes on."""
    spec = inspection.spec
    height, width = inspection.size
    kind = {"onnx": "ONNX model", "engine": "engine", "checkpoint": "checkpoint"}[inspection.kind]
    yield spec.name, f"{kind}, {spec.arch}"
    yield "file", f"{inspection.path}, {inspection.file_bytes / 1e6:.1f} MB"
    weights = "" if inspection.parameters is None else f", {inspection.parameters / 1e6:.2f} million weights"
    yield "precision", f"{spec.precision}{weights}"
    yield "size", f"{height}x{width} (height x width), frames are brought to it by: {_policy(spec.resize)}"
    yield "output", f"{spec.head} at stride {spec.stride}" if spec.head == "scores" else "labels at full size"
    yield "classes", f"{len(spec.classes)}: {', '.join(spec.classes)}; void is {spec.void}"
    for name, value in inspection.details.items():
        if name == "int8_share":
            known = _how_known(inspection.details.get("build_notes", {}))
            yield "INT8 share", f"{known}{value:.1%} of the multiplications outside depthwise convolutions"
        else:
            yield from _detail(name, value)
    yield "digest", inspection.digest
    yield from _origin(inspection)
    yield from _measurements(inspection)


def _detail(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if name == "build_notes":
        for number, (note, content) in enumerate(value.items()):
            text = "; ".join(map(str, content)) if isinstance(content, list) else str(content)
            yield "" if number else "build", f"{note.replace('_', ' ')}: {text or 'none'}"
    else:
        yield name.replace("_", " "), _text(value)


def _how_known(notes: dict[str, Any]) -> str:
    """What stands before the share of INT8 that a library told in part, or not at all."""
    if "int8_share_of" in notes:
        return "in the graph "
    return "at least " if notes.get("unknown_convolutions") else ""


def _policy(resize: Resize) -> str:
    """How frames are brought to the size, in words."""
    where = ", centered" if resize.anchor == "center" and resize.policy != "stretch" else ""
    beside = "" if resize.fill is None else f", beside the RGB color {', '.join(map(str, resize.fill))}"
    return f"{resize.policy}{where}{beside}"


def _origin(inspection: Inspection) -> Iterator[tuple[str, str]]:
    provenance = inspection.spec.provenance
    if provenance.trained_on:
        yield "trained on", ", ".join(provenance.trained_on)
    for number, line in enumerate(provenance.recipe):
        yield "" if number else "recipe", line
    if provenance.checkpoint_sha256:
        yield "checkpoint", f"SHA-256 {provenance.checkpoint_sha256}"
    if provenance.tools:
        yield "made with", _text(provenance.tools)


def _measurements(inspection: Inspection) -> Iterator[tuple[str, str]]:
    from fcn_edge.artifacts.models import Manifest

    manifest = inspection.manifest
    if manifest is None:
        return
    if isinstance(manifest, Manifest):
        records = list(manifest.accuracy.values())
        if manifest.license:
            yield "license", manifest.license
    else:
        records = [manifest.accuracy] if manifest.accuracy else []
        if manifest.speed:
            height, width = manifest.speed.frame_size
            times = (
                f"{manifest.speed.end_to_end_ms:.1f} ms per frame, {manifest.speed.network_ms:.1f} ms of it the network"
            )
            yield "speed", f"{times} ({height}x{width} frames of a {manifest.speed.source}, {manifest.speed.device})"
    for number, record in enumerate(records):
        scores = f"mIoU {record.miou:.1%}{record.over}, pixel accuracy {record.pixel_accuracy:.1%}"
        rendered = ", rendered" if record.rendered else ""
        height, width = record.size
        where = f"{record.dataset} {record.split} ({record.images} images{rendered}) at {height}x{width}"
        yield "" if number else "accuracy", f"{scores} on {where}"


def _text(value: object) -> str:
    return ", ".join(f"{name} {count}" for name, count in value.items()) if isinstance(value, dict) else str(value)
