"""A row of the result, of what was planned, built, scored and measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from fcn_edge.artifacts.engine_manifest import EngineManifest
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.engines import ReadyEngine
from fcn_edge.bench.measured import Measured
from fcn_edge.bench.plan import PlannedRow
from fcn_edge.bench.power import power_of
from fcn_edge.bench.result import Distribution, Power, Row
from fcn_edge.bench.times import distribution_of, round_median_ms, throughput_of
from fcn_edge.errors import FcnEdgeError, MachineError
from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["failed_row", "measured_row", "with_shares"]

MEGA = 1e6
LEAST_ROUNDS = 3
"""Rounds below which nothing is known of how steady times are."""


def measured_row(
    row: PlannedRow,
    engine: ReadyEngine,
    rounds: Sequence[Measured],
    *,
    frame_size: Size,
    width: float,
    accuracy: AccuracyRecord | None,
    gmacs: float | None,
) -> Row:
    """The row of what was measured.

    Args:
        row: What was planned.
        engine: What it ran on.
        rounds: What was measured, one for each round.
        frame_size: ``(height, width)`` of the frames.
        width: Share of the median that the interval may be wide.
        accuracy: Measured with the engine.
        gmacs: Multiply-accumulates of a frame, in 10^9.
    """
    whole = distribution_of([one.whole_ns for one in rounds])
    manifest = engine.manifest
    memory = [one.memory_bytes for one in rounds if one.memory_bytes is not None]
    fps = [one.fps for one in rounds if one.fps is not None]
    return Row(
        **_identity(row, frame_size),
        library=f"{BACKENDS[manifest.backend].library} {manifest.library}",
        device=manifest.device.title,
        backend=manifest.backend,
        state="measured",
        unstable=_unsteadiness(whole, width),
        network_ms=distribution_of([one.stages_ns["infer"] for one in rounds]),
        end_to_end_ms=whole,
        stages_ms=_medians([one.stages_ns for one in rounds]),
        gpu_ms=_medians([one.gpu_ns for one in rounds]) or None,
        throughput=throughput_of(fps) if fps else None,
        memory_mb=round(max(memory) / MEGA, 1) if memory else None,
        load_seconds=round(statistics.median(one.load_ns for one in rounds) / NS_PER_S, 3),
        build_seconds=round(manifest.build_seconds, 3) if engine.command else None,
        engine_mb=round(engine.bytes / MEGA, 3),
        gmacs=gmacs,
        power=_power(row, manifest, rounds),
        accuracy=accuracy if row.ends == "mask" else None,
        build=engine.command,
    )


def _unsteadiness(times: Distribution, width: float) -> str:
    """Why a row's median is not to be relied on; empty where it is."""
    count = len(times.rounds)
    if count < LEAST_ROUNDS:
        return f"{'One round says' if count == 1 else 'Two rounds say'} nothing of how steady the times are."
    share = (times.interval[1] - times.interval[0]) / times.p50
    if share <= width:
        return ""
    return (
        f"After {count} rounds its {times.confidence:.0%} interval is {share:.1%} of the median wide; "
        f"{width:.0%} is the limit."
    )


def _power(row: PlannedRow, manifest: EngineManifest, rounds: Sequence[Measured]) -> Power:
    power = power_of(rounds)
    if row.ends == "mask" or manifest.device.kind == "cpu":
        return power
    absent = "A GPU decodes scores in the same piece of work, whose energy is not the row's."
    return power.model_copy(update={"watts": None, "joules_per_frame": None, "source": "", "absent": absent})


def _medians(rounds: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, float]:
    """Medians of the rounds' medians, in milliseconds, by name."""
    return {
        name: round(statistics.median(round_median_ms(one[name]) for one in rounds), 4)
        for name in rounds[0]
        if all(name in one for one in rounds)
    }


def failed_row(row: PlannedRow, error: FcnEdgeError, frame_size: Size, accuracy: AccuracyRecord | None) -> Row:
    """The row of what could not be measured: ``absent`` where this machine cannot, else ``failed``.

    Its accuracy may be known all the same: it does not depend on the machine.
    """
    absent = isinstance(error, MachineError)
    return Row(
        **_identity(row, frame_size),
        backend=row.backend,
        state="absent" if absent else "failed",
        problem=error.message,
        fix=error.fix,
        accuracy=accuracy if row.ends == "mask" else None,
    )


def with_shares(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows, each with its mIoU as a share of that of the same model and size in FP32."""
    fp32 = {
        (row.digest, row.size): row.accuracy.miou
        for row in rows
        if row.precision == "fp32" and row.accuracy is not None
    }
    shared = []
    for row in rows:
        reference = fp32.get((row.digest, row.size))
        if row.accuracy is None or not reference:
            shared.append(row)
        else:
            shared.append(row.model_copy(update={"of_fp32": round(row.accuracy.miou / reference, 5)}))
    return tuple(shared)


def _identity(row: PlannedRow, frame_size: Size) -> dict[str, Any]:
    spec = row.model.spec
    return {
        "name": row.name,
        "model": row.label,
        "digest": row.model.digest,
        "encoder": spec.encoder,
        "decoder": spec.decoder,
        "stride": spec.stride,
        "precision": row.precision,
        "size": row.size,
        "frame_size": frame_size,
        "ends": row.ends,
    }
