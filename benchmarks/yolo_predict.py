"""Ultralytics' side of ``benchmarks.yolo``: a program for the interpreter that has it.

    python yolo_predict.py HEIGHT WIDTH FOLDER

It loads ``net.onnx`` of the folder, tells its versions as a line of JSON, and then answers each line: ``["time", "5"]``
with the milliseconds of a frame of ``frame.npy``, ``["masks", FRAMES, MASKS]`` when the masks of those frames are
written.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP = 3


def main() -> None:
    """Load, and answer until there are no more lines."""
    height, width, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.chdir(folder)
    os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": folder}
    _import_torchvision()
    import onnxruntime
    import torch
    import ultralytics

    net = ultralytics.YOLO("net.onnx", task="semantic")

    def mask(frame: Any) -> Any:
        (result,) = net.predict(frame, imgsz=(height, width), device="cpu", verbose=False)
        return result.semantic_mask.data.numpy().reshape(frame.shape[:2])

    frames = np.load("frame.npy")
    for frame in frames[:WARM_UP]:
        mask(frame)
    modules = {"ultralytics": ultralytics, "onnxruntime": onnxruntime, "torch": torch}
    _say({"versions": {name: module.__version__ for name, module in modules.items()}})
    for line in sys.stdin:
        what, *given = json.loads(line)
        if what == "masks":
            np.save(given[1], np.stack([mask(frame) for frame in np.load(given[0])]))
            _say({})
            continue
        times = []
        for index in range(int(given[0])):
            started = time.perf_counter()
            mask(frames[index % len(frames)])
            times.append(1000 * (time.perf_counter() - started))
        _say({"ms": statistics.median(times)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _import_torchvision() -> None:
    """Its compiled operators do not load into every torch; the network needs none of them."""
    import torch

    try:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        # while it lives, the operators do
        sys.modules["_torchvision_operators"] = types.ModuleType("_torchvision_operators", str(Path(__file__)))
        sys.modules["_torchvision_operators"].library = library  # type: ignore[attr-defined]
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        sys.modules["torchvision"] = types.ModuleType("torchvision")


if __name__ == "__main__":
    main()
