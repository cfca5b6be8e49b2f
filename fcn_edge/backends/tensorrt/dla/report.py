"""What the DLA could take of a network, in numbers: which layers, what share of the work, in how many pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.onnx_header import FileState, opened_onnx
from fcn_edge.artifacts.onnx_parts import graph_parts
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.tensorrt.dla.layers import Layer, layers_of
from fcn_edge.backends.tensorrt.dla.rules import reason_against

__all__ = ["MOST_PIECES", "RELEASES", "RULES", "DlaReport", "LayerReport", "dla_report"]

RULES = "TensorRT 10.3"
"""Whose rules they are: what JetPack 6.1 to 6.2 bring."""

MOST_PIECES = 16
"""Loadables that a DLA core holds at once ("DLA Supported Layers and Restrictions")."""

RELEASES = (
    "JetPack 6.1 to 6.2.3 (TensorRT 10.3): AGX Orin and Orin NX; the Orin Nano has no DLA",
    "JetPack 7.0 to 7.2 (TensorRT 10.13 and 10.16): none",
    "TensorRT 11.4.1 on JetPack 7.2.2 and newer: AGX Orin only; Thor has no DLA",
)
"""Which releases use it: "Working with DLA" of TensorRT 11.3 and 11.4.1 (10.7 was the last 10.x with it), the release
notes of 10.16.1. Which boards have one: ``FAQ/README.md`` of github.com/NVIDIA/Deep-Learning-Accelerator-SW ("All
Jetson AGX Orin & Orin NX boards"); that the Orin Nano and Thor have none, NVIDIA's pages on TensorRT 11."""


@dataclass(frozen=True)
class LayerReport:
    """What is said of a layer.

    Attributes:
        name: What the file calls its node, or what that gives.
        operator: The ONNX operator.
        macs: Multiplications with accumulation for one call; 0 of layers that have none, or none that are known.
        reason: Why the DLA does not take it, as a phrase; empty where it could.
    """

    name: str
    operator: str
    macs: int
    reason: str

    @property
    def taken(self) -> bool:
        """The rules let the DLA take it."""
        return not self.reason


@dataclass(frozen=True)
class DlaReport:
    """What the DLA could take of a network, by the rules that ``RULES`` names. Nothing is built for it.

    Attributes:
        size: ``(height, width)`` of the images.
        layers: In the order in which they run; constants are folded.
        pieces: Parts that hang together of what is taken, each of which is a loadable; the GPU works between them.
    """

    size: Size
    layers: tuple[LayerReport, ...]
    pieces: int

    @property
    def taken(self) -> int:
        """Number of the layers that are taken."""
        return sum(layer.taken for layer in self.layers)

    @property
    def macs_share(self) -> float | None:
        """Share of the multiplications that are taken, 0 to 1; None where there are none."""
        all_of_them = sum(layer.macs for layer in self.layers)
        return sum(layer.macs for layer in self.layers if layer.taken) / all_of_them if all_of_them else None

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        share = self.macs_share
        return {
            "rules": RULES,
            "size": list(self.size),
            "taken": self.taken,
            "of": len(self.layers),
            "macs_share": None if share is None else round(share, 4),
            "pieces": self.pieces,
            "most_pieces": MOST_PIECES,
            "releases": list(RELEASES),
            "layers": [
                {
                    "name": layer.name,
                    "operator": layer.operator,
                    "macs": layer.macs,
                    "taken": layer.taken,
                    "reason": layer.reason,
                }
                for layer in self.layers
            ],
        }


def dla_report(path: Path, size: Size, state: FileState | None = None) -> DlaReport:
    """What the DLA could take of an ONNX file's network.

    Args:
        path: The file; ``onnx_graph.graph_of_onnx`` has looked at it before.
        size: ``(height, width)`` of the images.
        state: The state that the file must have; any when left out.

    Raises:
        ModelError: The file is missing, not a whole ONNX file, or not in that state.
    """
    with opened_onnx(path, state) as buffer:
        layers = layers_of(graph_parts(buffer), size)
    reports = tuple(LayerReport(layer.name, layer.node.operator, layer.macs, reason_against(layer)) for layer in layers)
    return DlaReport(size, reports, _pieces(layers, [report.taken for report in reports]))


def _pieces(layers: Sequence[Layer], taken: Sequence[bool]) -> int:
    """In how many parts the layers that are taken run.

    Parts are cut where the work changes hands: what lies behind a layer of the GPU is in no part with what lies before
    it, or the two would wait for each other.
    """
    changes: list[int] = []
    parts: dict[int, int] = {}

    def part(number: int) -> int:
        while parts[number] != number:
            number = parts[number]
        return number

    for number, layer in enumerate(layers):
        changes.append(max((changes[one] + (taken[one] != taken[number]) for one in layer.before), default=0))
        if not taken[number]:
            continue
        parts[number] = number
        for one in layer.before:
            if taken[one] and changes[one] == changes[number]:
                parts[part(number)] = part(one)
    return len({part(number) for number in parts})
