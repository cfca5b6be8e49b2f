"""Writes what the peers are given, and the masks that theirs are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.peers.graphs import write_usual_graphs
from benchmarks.peers.task import Image, Task
from benchmarks.streams.memory import rendered_street
from fcn_edge.artifacts.calibration_table import read_table, write_table
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.errors import UsageError
from fcn_edge.runtime.segmenter import load

__all__ = ["COMPARED", "compared_frames", "prepared_task"]

DISTINCT = 8
"""Frames that every peer goes round."""

COMPARED = 3
"""Frames whose masks are compared."""


def prepared_task(model: str, folder: Path, size: Size, frame_size: Size) -> Task:
    """Everything that the workers read, written to a folder.

    Every way stretches a frame to the network's size, whatever the model's own policy is: all libraries can do that,
    and Model API's segmentation knows no padding when it enlarges a mask.

    Args:
        model: A shipped name or an ``.onnx`` file that ends in scores.
        folder: Where it goes.
        size: ``(height, width)`` of the network's input.
        frame_size: ``(height, width)`` of the frames.

    Raises:
        ArtifactError: The model is missing or damaged.
        UsageError: It does not end in scores.
    """
    found = resolved_model(model)
    if found.kind != "onnx" or found.spec.head != "scores":
        raise UsageError(f"{model} is no ONNX file that ends in scores.", "Give one that fcn-edge export wrote.")
    files = Task(folder, size, frame_size, (0, 0, 0), (1, 1, 1))
    _write_stretched(found, files.model, folder / "table.json")
    mean, scale = write_usual_graphs(
        found.path, size, found.spec.stride, len(found.spec.classes), files.logits, files.labels
    )
    task = Task(folder, size, frame_size, _of_three(mean), _of_three(scale))
    np.save(folder / "frames.npy", np.stack(rendered_street(0, frame_size, DISTINCT)))
    task.save()
    _write_reference(task)
    return task


def compared_frames(task: Task) -> dict[str, list[Image]]:
    """Frames by size: those of the task, and the same at the network's own size.

    At the network's size all ways define the same mask. At the frames' size the others enlarge a mask by nearest
    neighbor, where fcn_edge samples the scores at each pixel: a few pixels on class borders differ.
    """
    frames = task.frames()[:COMPARED]
    small = [np.asarray(cv2.resize(each, task.size[::-1], interpolation=cv2.INTER_AREA), np.uint8) for each in frames]
    return {"frame": frames, "network": small}


def _write_reference(task: Task) -> None:
    """The masks of fcn_edge in ONNX Runtime, by size."""
    with load(task.model, size=task.size, backend="onnxruntime") as segmenter:
        masks = {size: [segmenter(each).labels for each in frames] for size, frames in compared_frames(task).items()}
    np.savez(task.folder / "reference.npz", frame=np.stack(masks["frame"]), network=np.stack(masks["network"]))


def _write_stretched(found: Model, model: Path, table: Path) -> None:
    """The model, and its table where it ships with one, with frames stretched to the network's size."""
    import onnx

    resize = Resize(policy="stretch")
    proto: Any = onnx.load(found.path)
    (entry,) = (each for each in proto.metadata_props if each.key == SPEC_KEY)
    entry.value = found.spec.replace(resize=resize).to_json()
    onnx.save(proto, model)
    if found.table_path is not None:
        write_table(table, read_table(found.table_path).model_copy(update={"resize": resize}))


def _of_three(values: tuple[float, ...]) -> tuple[float, float, float]:
    """One value per channel."""
    blue, green, red = values if len(values) == 3 else values * 3
    return blue, green, red
