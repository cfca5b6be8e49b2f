"""What every peer is given: the model, the sizes, the frames and the threads, as files of one folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Image", "Task"]

Image = NDArray[np.uint8]
Size = tuple[int, int]


@dataclass(frozen=True)
class Task:
    """The work that all peers do.

    Attributes:
        folder: Where the files lie.
        size: ``(height, width)`` of the network's input.
        frame_size: ``(height, width)`` of the frames and of the masks.
        mean: What is taken from each pixel before the first convolution, per channel, BGR, on the 0 to 255 scale.
        scale: What it is divided by then.
        threads: Threads of whatever runs the network; its own default when None.
    """

    folder: Path
    size: Size
    frame_size: Size
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    threads: int | None = None

    @property
    def model(self) -> Path:
        """The model as fcn_edge exports it, its frames stretched to the network's size."""
        return self.folder / "model.onnx"

    @property
    def table(self) -> Path | None:
        """Calibration table of the model, where it has one."""
        path = self.folder / "table.json"
        return path if path.is_file() else None

    @property
    def logits(self) -> Path:
        """The same network as (1, 3, H, W) float planes to (1, classes, H, W) logits, upsampled in the graph."""
        return self.folder / "logits.onnx"

    @property
    def labels(self) -> Path:
        """The same with the argmax in the graph, too: (1, H, W) uint8."""
        return self.folder / "labels.onnx"

    def frames(self) -> list[Image]:
        """The frames, ``(*frame_size, 3)`` uint8 BGR."""
        return list(np.load(self.folder / "frames.npy"))

    def save(self) -> None:
        """Write everything but the frames for the workers."""
        (self.folder / "task.json").write_text(json.dumps(asdict(self) | {"folder": ""}))

    @classmethod
    def of(cls, folder: Path, threads: int | None) -> Task:
        """The task of a folder, with these threads."""
        content: dict[str, Any] = json.loads((folder / "task.json").read_text())
        lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
        return replace(cls(**content | lists), folder=folder, threads=threads)
