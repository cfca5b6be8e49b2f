"""Results of made-up benchmark runs, for the tests of whatever reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.bench.intervals import median_interval
from fcn_edge.bench.result import BenchResult, Control, Distribution, Power, Row, Throughput

__all__ = ["bench_result", "bench_row", "distribution"]

STRIDES = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}
CLASSES = ("road", "pole", "pedestrian")


def distribution(median: float, rounds: int = 9, noise: float = 0.01, seed: int = 0) -> Distribution:
    """Times around a median, a little different in each round."""
    random = np.random.default_rng(seed)
    medians = median * (1 + noise * random.standard_normal(rounds))
    frames = np.sort(np.concatenate([value * (1 + 0.02 * random.random(20)) for value in medians]))
    interval = median_interval(medians.tolist())
    percentiles = np.percentile(frames, range(101)).tolist()
    return Distribution(
        mean=float(frames.mean()),
        p50=float(np.median(medians)),
        p90=percentiles[90],
        p95=percentiles[95],
        p99=percentiles[99],
        min=percentiles[0],
        max=percentiles[100],
        interval=(interval.low, interval.high),
        confidence=interval.confidence,
        rounds=tuple(medians.tolist()),
        frames=len(frames),
        percentiles=tuple(percentiles),
    )


def bench_row(
    decoder: str = "fcn8s",
    precision: str = "fp32",
    backend: str = "onnxruntime",
    milliseconds: float = 50.0,
    miou: float | None = 0.74,
    size: tuple[int, int] = (512, 1024),
    rounds: int = 9,
    noise: float = 0.01,
    seed: int = 0,
    **changes: Any,
) -> Row:
    """A measured row; other attributes as keywords."""
    model = f"camvid-mobilenet_v2-{decoder}"
    name = f"{model} {precision} {backend} {size[0]}x{size[1]}"
    whole = distribution(milliseconds, rounds, noise, seed)
    fps = [1000 / value for value in whole.rounds]
    interval = median_interval(fps)
    accuracy = None
    if miou is not None:
        accuracy = AccuracyRecord(
            dataset="camvid",
            split="val",
            images=101,
            size=size,
            miou=miou,
            pixel_accuracy=0.93,
            mean_accuracy=0.8,
            fw_iou=0.88,
            per_class=dict.fromkeys(CLASSES, miou),
        )
    values: dict[str, Any] = {
        "name": name,
        "model": model,
        "digest": "0" * 64,
        "encoder": "mobilenet_v2",
        "decoder": decoder,
        "stride": STRIDES[decoder],
        "precision": precision,
        "backend": backend,
        "library": f"{backend} 1.0",
        "device": "AMD EPYC",
        "size": size,
        "frame_size": (720, 1280),
        "state": "measured",
        "network_ms": distribution(0.9 * milliseconds, rounds, noise, seed),
        "end_to_end_ms": whole,
        "stages_ms": {"preprocess": 0.02 * milliseconds, "infer": 0.9 * milliseconds, "decode": 0.08 * milliseconds},
        "throughput": Throughput(
            fps=float(np.median(fps)),
            interval=(interval.low, interval.high),
            confidence=interval.confidence,
            rounds=tuple(fps),
        ),
        "memory_mb": 210.0,
        "load_seconds": 0.4,
        "engine_mb": 4.8,
        "gmacs": 3.1,
        "power": Power(absent="This machine has no power sensor that fcn_edge reads."),
        "accuracy": accuracy,
        "of_fp32": 1.0,
        "build": f"fcn-edge build {model} --backend {backend} --precision {precision} --size {size[0]}x{size[1]}",
    }
    return Row.model_validate(values | changes)


def bench_result(*rows: Row, control: float = 10.0, noise: float = 0.01, seed: int = 0, **changes: Any) -> BenchResult:
    """A result of these rows; all measured in as many rounds as the first."""
    times = rows[0].end_to_end_ms if rows else None
    rounds = distribution(control, len(times.rounds) if times else 9, noise, seed + 1).rounds
    values: dict[str, Any] = {
        "suite": "ladder",
        "title": "The shipped ladder",
        "started": "2026-05-01T12:00:00Z",
        "seconds": 300.0,
        "machine": {
            "system": "Linux-6.1-x86_64",
            "cpu": {"name": "AMD EPYC", "cores": 2, "instruction_set": "avx512_vnni", "governor": ""},
            "software": {"python": "3.11.7", "packages": {"fcn_edge": "0.1", "onnxruntime": "1.0"}},
        },
        "threads": 2,
        "frames": "rendered street, 720x1280",
        "frames_per_round": 20,
        "rounds": len(rounds),
        "control": Control(name="fcn32s fp32 256x320", rounds=rounds, moved=max(rounds) / min(rounds) - 1),
        "rows": rows,
    }
    return BenchResult.model_validate(values | changes)
