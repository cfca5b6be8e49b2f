"""A made-up run with everything that a report has to show."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.bench.result import BenchResult, Example, Power, Row
from tests.bench_results import bench_result, bench_row

__all__ = ["PIXEL", "digest_of", "ladder", "unmeasured"]

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c636060f8cf000003010100c9fe92ef0000000049454e44ae426082"
    )
).decode()
"""A picture of one pixel."""

ACCURACY = {"fcn32s": 0.671, "fcn16s": 0.719, "fcn8s": 0.745}
MILLISECONDS = {"fcn32s": 50.2, "fcn16s": 52.1, "fcn8s": 55.4}
CLASSES = {"road": 0.95, "pole": 0.3, "pedestrian": 0.5, "bridge": None}


def digest_of(model: str) -> str:
    """Stands for the digest of a model's graph and weights."""
    return hashlib.sha256(model.encode()).hexdigest()


def unmeasured(decoder: str, state: str, problem: str, fix: str = "") -> Row:
    """A row without times."""
    return bench_row(
        decoder, "fp16", "tensorrt", 1.0, None, state=state, problem=problem, fix=fix,
        network_ms=None, end_to_end_ms=None, throughput=None, stages_ms={},
    )  # fmt: skip


def ladder(power: bool = False, **changes: Any) -> BenchResult:
    """Three decoders in FP32 and INT8 at two sizes, and a row of each kind that is not simply measured."""
    rows = []
    for size, times, drop in (((480, 640), 0.58, 0.012), ((512, 1024), 1.0, 0.0)):
        for decoder, miou in ACCURACY.items():
            for precision, speed, loss in (("fp32", 1.0, 0.0), ("int8", 0.42, 0.006)):
                row = bench_row(
                    decoder, precision, "onnxruntime", MILLISECONDS[decoder] * times * speed, miou - drop - loss, size,
                    seed=len(rows), of_fp32=(miou - drop - loss) / (miou - drop), digest=digest_of(decoder),
                )  # fmt: skip
                rows.append(
                    _scored(row, 4 * (miou - 0.7)).model_copy(update={"power": _power() if power else row.power})
                )
    rows[5] = rows[5].model_copy(update={"unstable": "Its rounds differ by 14%."})
    recorded = bench_row(
        "fcn8s", "fp32", "openvino", 260.0, 0.768, encoder="resnet50", seed=50, state="recorded",
        problem="Taken from results/resnet50.json, because the weights are not at hand.", memory_mb=None,
    )  # fmt: skip
    scores = bench_row(
        "fcn32s", "fp32", "onnxruntime", 44.0, None, seed=51, ends="scores", throughput=None, of_fp32=None
    )
    rows += [
        recorded.model_copy(update={"model": "camvid-resnet50-fcn8s"}),
        scores.model_copy(update={"name": f"{scores.name} scores"}),
        unmeasured("fcn8s", "absent", "TensorRT needs an NVIDIA GPU, and this machine has none.", "Use a Jetson."),
        unmeasured("fcn16s", "failed", "The process was ended by signal 9."),
    ]
    examples = (
        Example(
            title="Poles against the sky", source="rendered street, seed 700", image=PIXEL, truth=PIXEL,
            masks={"fcn32s": PIXEL, "fcn8s": PIXEL}, shares={"fcn32s": 0.71, "fcn8s": 0.912},
        ),
    )  # fmt: skip
    return bench_result(*rows, **{"examples": examples} | changes)


def _scored(row: Row, gain: float) -> Row:
    """The row with a class that decoders tell apart and one that does not occur."""
    assert row.accuracy is not None
    shares = {name: share if name != "pole" or share is None else share + gain for name, share in CLASSES.items()}
    accuracy = AccuracyRecord.model_validate(row.accuracy.model_dump() | {"per_class": shares})
    return row.model_copy(update={"accuracy": accuracy})


def _power() -> Power:
    return Power(
        watts=9.13, joules_per_frame=0.482, source="VDD_IN of tegrastats: the whole board",
        clocks_mhz={"gpu": (510.0, 918.0)}, temperature_c={"cpu": 61.5}, throttled=("soft power cap",),
        load=1.4, steal=0.012,
    )  # fmt: skip
