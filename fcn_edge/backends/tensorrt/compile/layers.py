"""The layers of a plan, out of either language in which TensorRT describes them.

TensorRT's engine inspector gives JSON, in which TensorRT 10 tells a tensor's type within its format and 11 apart from
it; TensorRT-RTX's builder logs lines of text. A layer of the plan is often several of the graph.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["PlanLayer", "PlanTensor", "layers_of_json", "layers_of_text"]


@dataclass(frozen=True)
class PlanTensor:
    """What a layer of a plan takes, gives or holds.

    Attributes:
        name: Name of the tensor.
        element: Its type: ``fp32``, ``fp16``, ``int8``, ``uint8`` ...; empty where the library does not tell.
        shape: Its lengths.
        layout: The library's words for how it lies in memory.
    """

    name: str
    element: str
    shape: tuple[int, ...]
    layout: str


@dataclass(frozen=True)
class PlanLayer:
    """A kernel of a plan.

    Attributes:
        name: Name of the kernel.
        kind: What the library calls its kind, such as ``CaskConvolution`` or ``correlation``.
        nodes: Names of the ONNX nodes that it does, or helps to do.
        inputs: What it takes.
        constants: What it holds.
        outputs: What it gives.
        tactic: The library's name of the implementation.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    inputs: tuple[PlanTensor, ...]
    constants: tuple[PlanTensor, ...]
    outputs: tuple[PlanTensor, ...]
    tactic: str

    @property
    def reformats(self) -> bool:
        """It only brings a tensor into another layout or type."""
        return self.kind in ("Reformat", "NoOp") or self.name.startswith("Reformatting CopyNode")


_ELEMENTS = (
    ("uint8", re.compile(r"\bU(?:INT|Int|int)8\b")),
    ("int8", re.compile(r"\bI(?:NT|nt)8\b")),
    ("fp16", re.compile(r"\b(?:FP16|Half)\b", re.I)),
    ("bf16", re.compile(r"\b(?:BF16|BFloat16)\b", re.I)),
    ("fp8", re.compile(r"\bFP8\b", re.I)),
    ("fp32", re.compile(r"\b(?:FP32|Float)\b", re.I)),
    ("int32", re.compile(r"\bInt32\b", re.I)),
    ("int64", re.compile(r"\bInt64\b", re.I)),
    ("bool", re.compile(r"\bBool\b", re.I)),
)
_FIELD = re.compile(r"(?:^|, )(Name|LayerType|Inputs|Constants|Outputs|TacticName|StreamId|Metadata): ")
_TENSOR = re.compile(
    r"\{ Name: (?P<name>.*?), Dimensions: \[(?P<shape>[^\]]*)\].*?Datatype: (?P<element>[^,]+), "
    r"Format: (?P<layout>.*?) ?\}(?=, \{| ?\])"
)
_FUSED = re.compile(r" (?:\+|\|\|) ")
"""Stands between the nodes that a kernel does one after the other, or side by side."""
_NODE = re.compile(r"\[ONNX Layer: (.*?)\]")


def layers_of_text(text: str) -> tuple[PlanLayer, ...]:
    """The layers in the lines that TensorRT-RTX logs after ``Layers:``."""
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if line.startswith("I/O Tensors:")), len(lines))
    return tuple(_layer_of_line(line) for line in lines[:end] if line.startswith("Name: "))


def layers_of_json(text: str) -> tuple[PlanLayer, ...]:
    """The layers in what the engine inspector gives.

    Raises:
        ValueError: It is no JSON object.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"the engine inspector gave {type(content).__name__}")
    return tuple(_layer_of_object(item) for item in content.get("Layers", []))


def _layer_of_line(line: str) -> PlanLayer:
    parts = _FIELD.split(line)
    fields = dict(zip(parts[1::2], parts[2::2], strict=True))
    return PlanLayer(
        name=fields.get("Name", ""),
        kind=fields.get("LayerType", ""),
        nodes=tuple(_NODE.findall(fields.get("Metadata", ""))),
        inputs=_tensors_of_text(fields.get("Inputs", "")),
        constants=_tensors_of_text(fields.get("Constants", "")),
        outputs=_tensors_of_text(fields.get("Outputs", "")),
        tactic=fields.get("TacticName", ""),
    )


def _tensors_of_text(text: str) -> tuple[PlanTensor, ...]:
    return tuple(
        PlanTensor(
            found["name"],
            _element(found["element"]),
            tuple(int(side) for side in found["shape"].split(",") if side.strip()),
            found["layout"],
        )
        for found in _TENSOR.finditer(text)
    )


def _layer_of_object(item: Any) -> PlanLayer:
    if not isinstance(item, dict):  # a plan without details names its layers and no more
        return PlanLayer(str(item), "", _fused(str(item)), (), (), (), "")
    name = str(item.get("Name", ""))
    weights = item.get("Weights")
    constants = _tensors_of_objects(item.get("Constants", ()))
    if isinstance(weights, dict) and "Type" in weights:
        constants = (PlanTensor("weights", _element(str(weights["Type"])), (int(weights.get("Count", 0)),), ""),)
    return PlanLayer(
        name=name,
        kind=str(item.get("LayerType", "")),
        nodes=tuple(_NODE.findall(str(item.get("Metadata", "")))) or _fused(name),
        inputs=_tensors_of_objects(item.get("Inputs", ())),
        constants=constants,
        outputs=_tensors_of_objects(item.get("Outputs", ())),
        tactic=str(item.get("TacticName", "")),
    )


def _tensors_of_objects(items: Iterable[Any]) -> tuple[PlanTensor, ...]:
    return tuple(_tensor_of_object(item) for item in items if isinstance(item, dict))


def _tensor_of_object(item: dict[str, Any]) -> PlanTensor:
    both = str(item.get("Format/Datatype", ""))
    element = str(item.get("Datatype", item.get("DataType", both)))
    shape = tuple(int(side) for side in item.get("Dimensions", ()))
    return PlanTensor(str(item.get("Name", "")), _element(element), shape, str(item.get("Format", both)))


def _fused(name: str) -> tuple[str, ...]:
    """The nodes in a layer's name, where the plan does not tell them apart from it."""
    return tuple(part.strip() for part in _FUSED.split(name))


def _element(text: str) -> str:
    return next((element for element, pattern in _ELEMENTS if pattern.search(text)), text.strip().lower())
