"""What became of the graph in the plan: the file ``layers.json`` of an engine, and the figures for its manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.device import ManifestValue
from fcn_edge.backends.tensorrt.compile.convolutions import Convolution, unknown_convolutions
from fcn_edge.backends.tensorrt.compile.layers import PlanLayer, layers_of_json, layers_of_text
from fcn_edge.backends.tensorrt.diagnostics import lacks_memory
from fcn_edge.backends.tensorrt.log import LAYERS, Log, Message

__all__ = ["REPORT_FILE", "figures_of", "layers_of_plan", "write_report"]

REPORT_FILE = "layers.json"
"""Name of the report in an engine directory."""

_FIGURES = {
    "activation_bytes": re.compile(r"Total Activation Memory: (\d+)"),
    "weight_bytes": re.compile(r"Total Weights Memory: (\d+)"),
    "scratch_bytes": re.compile(r"Max Scratch Memory: (\d+)"),
}
_MOST_WARNINGS = 5


def layers_of_plan(trt: Any, log: Log, plan: Any, messages: Sequence[Message]) -> tuple[PlanLayer, ...] | None:
    """The layers of a plan.

    Args:
        trt: The library.
        log: Its log.
        plan: The serialized engine.
        messages: What the library said while it built the plan.

    Returns:
        The layers, none where the library describes them in a language that is not known here; None where it has
        nothing that describes them: it logs none, and has no inspector of a plan that cannot be loaded on this machine.
    """
    for message in messages:
        if message.text.startswith(LAYERS):
            return layers_of_text(message.text)
    engine = trt.Runtime(log.logger).deserialize_cuda_engine(plan)
    if engine is None:
        return None
    description = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    try:
        return layers_of_json(description)
    except ValueError:
        return ()


def figures_of(
    layers: Sequence[PlanLayer] | None, convolutions: Sequence[Convolution], messages: Sequence[Message]
) -> dict[str, ManifestValue]:
    """What a manifest says of a plan.

    Args:
        layers: Layers of the plan; None where the library does not tell of them.
        convolutions: Convolutions of the graph, with what became of them.
        messages: What the library said while it built it.

    Returns:
        ``layers`` and ``reformats``, how many; ``unknown_convolutions``, how many of those outside depthwise ones no
        layer names, where the library tells of layers; ``activation_bytes``, ``weight_bytes`` and ``scratch_bytes``
        where it says; ``kernels_without_memory``, how many kernels were not tried because memory was short;
        ``warnings``, the first few.
    """
    figures: dict[str, ManifestValue] = {}
    if layers is not None:
        figures["layers"] = len(layers)
        figures["reformats"] = sum(layer.reformats for layer in layers)
        figures["unknown_convolutions"] = unknown_convolutions(convolutions)
    for name, pattern in _FIGURES.items():
        found = [int(match[1]) for message in messages if (match := pattern.search(message.text))]
        if found:
            figures[name] = max(found)
    figures["kernels_without_memory"] = lacks_memory(messages)
    warnings = (" ".join(message.text.split()) for message in messages if message.severity == "WARNING")
    figures["warnings"] = list(dict.fromkeys(warnings))[:_MOST_WARNINGS]
    return figures


def write_report(
    path: Path,
    library: str,
    convolutions: Sequence[Convolution],
    layers: Sequence[PlanLayer],
    figures: dict[str, ManifestValue],
) -> None:
    """Write the report of a plan, as JSON.

    Args:
        path: The file.
        library: Name and version of the library.
        convolutions: Convolutions of the graph, with what became of them.
        layers: Layers of the plan.
        figures: Figures of the plan.
    """
    content = {
        "library": library,
        "figures": figures,
        "convolutions": [asdict(convolution) for convolution in convolutions],
        "layers": [asdict(layer) for layer in layers],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
