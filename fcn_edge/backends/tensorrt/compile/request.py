"""What is to be built, as it goes to the process that builds, and what comes back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.spec import Size

__all__ = ["Request"]


@dataclass(frozen=True)
class Request:
    """A build.

    Attributes:
        backend: Name of the backend, which says with which library.
        onnx: The typed model.
        quantized: Its graph holds Q/DQ pairs.
        directory: Where the plan goes.
        plan: Name of the plan.
        size: ``(height, width)`` of the network's input.
        device: What to build for.
        here: The device is in this machine.
        gpu: Index of the GPU that builds, as the process that asks counts them; the one that builds sees no other.
    """

    backend: str
    onnx: Path
    quantized: bool
    directory: Path
    plan: str
    size: Size
    device: DeviceInfo
    here: bool
    gpu: int = 0

    def to_json(self) -> str:
        """The request as text."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The request of ``to_json``."""
        content: dict[str, Any] = json.loads(text)
        height, width = content["size"]
        return cls(
            **{
                **content,
                "onnx": Path(content["onnx"]),
                "directory": Path(content["directory"]),
                "size": (height, width),
                "device": DeviceInfo(**content["device"]),
            }
        )
