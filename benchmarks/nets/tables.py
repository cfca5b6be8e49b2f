"""Tables of what is committed about trained networks: their worth, the variants that were tried, small data sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fcn_edge.bench.report.markdown import table_of_cells

__all__ = ["nets_table", "results_of_nets", "small_sets", "small_sets_table", "variants_of_nets", "variants_table"]

RESULTS = Path(__file__).resolve().parents[1] / "results" / "nets"
ENCODERS = {"vgg16": "VGG-16", "resnet50": "ResNet-50", "mobilenet_v2": "MobileNetV2"}
DECODERS = {"fcn32s": "FCN-32s", "fcn16s": "FCN-16s", "fcn8s": "FCN-8s"}
LIBRARIES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "tensorrt": "TensorRT's graph"}
NONE = "\N{EN DASH}"


def results_of_nets(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """What ``benchmarks.nets.measure`` wrote, in the order of ``ENCODERS``."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    order = list(ENCODERS)
    return sorted((each for each in found if "nets" in each), key=lambda each: order.index(each["encoder"]))


def nets_table(results: Sequence[Mapping[str, Any]]) -> str:
    """A row for each network: mIoU in FP32, and time and loss of each precision and backend."""
    cells = []
    for result in results:
        for net in result["nets"]:
            rows = {(row["precision"], row["backend"]): row for row in net["rows"]}
            fp32 = rows["fp32", "onnxruntime"]
            name = f"{DECODERS[net['decoder']]} {ENCODERS[result['encoder']]}"
            int8 = [rows.get(("int8", backend)) for backend in LIBRARIES]
            cells.append([name, f"{fp32['miou']:.1f}", _ms(fp32), *(_loss(row) for row in int8)])
    header = ["", "val mIoU (%)", "FP32 (ms)", *(f"INT8, {library}" for library in LIBRARIES.values())]
    on = "; ".join(_measured_on(result) for result in results)
    return f"{table_of_cells(header, cells, 1)}\n\n*{on}.*\n"


def _ms(row: Mapping[str, Any]) -> str:
    return f"{row['end_to_end_ms']['p50']:.0f}" if "end_to_end_ms" in row else NONE


def _loss(row: Mapping[str, Any] | None) -> str:
    """Change of mIoU, the class that loses most, and the time where there is one."""
    if row is None or "drop" not in row:
        return NONE
    name, points = row["worst_class"]
    time = f"{_ms(row)} ms, " if "end_to_end_ms" in row else ""
    return f"{time}{-row['drop']:+.2f} ({name} {-points:+.1f})"


def _measured_on(result: Mapping[str, Any]) -> str:
    machine, (height, width) = result["machine"], result["nets"][0]["size"]
    row = result["nets"][0]["rows"][0]
    unsteady = sum("unstable" in row for net in result["nets"] for row in net["rows"])
    steadiness = f" ({unsteady} rows' times are not steady)" if unsteady else ""
    return (
        f"{ENCODERS[result['encoder']]} at {height}x{width} on {machine['cpu']} ({machine['instruction_set']}), "
        f"{machine['threads']} threads, {result['measured'][:10]}, {row['split']}, {row['images']} images{steadiness}"
    )


def variants_of_nets(path: Path = RESULTS / "variants.json") -> list[dict[str, Any]]:
    """The rows of ``benchmarks.nets.folds``."""
    return list(json.loads(path.read_text(encoding="utf-8"))["rows"])


def variants_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row for each variant and drive that judged it, in the order in which they were tried."""
    cells = [
        [
            row["variant"],
            row["fold"],
            *(f"{row['miou'][decoder]:.1f}" for decoder in DECODERS),
            *(_percent(row["per_class"][name]) for name in RARE),
            row["why"],
        ]
        for row in rows
    ]
    return table_of_cells(["variant", "judged on", *DECODERS.values(), *RARE, "tried for"], cells, 2) + "\n"


RARE = ("pole", "sign", "fence", "pedestrian", "bicyclist")
"""Classes of a few pixels each, of which FCN-8s' IU is shown."""


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"


def small_sets(path: Path = RESULTS / "small_sets.json") -> list[dict[str, Any]]:
    """The rows of ``benchmarks.nets.small_sets``."""
    return list(json.loads(path.read_text(encoding="utf-8"))["rows"])


def small_sets_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """FCN-8s' mIoU on val for each training: last weights, and their averages with either decay."""
    cells = [
        [
            str(row["frames"]),
            str(row["epochs"]),
            str(row["steps"]),
            *(f"{100 * row['val_miou'][kind]['fcn8s']:.1f}" for kind in ("raw", "rising", "fixed")),
        ]
        for row in rows
    ]
    return table_of_cells(["frames", "epochs", "steps", "raw", "rising", "fixed"], cells, 0) + "\n"
