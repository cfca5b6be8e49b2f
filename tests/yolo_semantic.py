"""A program for the interpreter that has Ultralytics: its smallest semantic network, random weights, exported by it.

    python tests/yolo_semantic.py FOLDER HEIGHT WIDTH [--dynamic] [--images FOLDER]

Writes ``yolo26n-sem.onnx`` and ``yolo26n-sem.pt`` to the folder. The statistics of each BatchNorm are those of images,
its scale and shift are random, and the head gives each class zero mean and unit variance, so that masks hold many
classes and depend on every layer. Ultralytics is under the AGPL: it runs here as a program, and nothing imports this.
"""

from __future__ import annotations

import argparse
import os
import sys
import types
from pathlib import Path

import cv2
import numpy as np

NET = "yolo26n-sem"
BATCH = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("height", type=int)
    parser.add_argument("width", type=int)
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--images", type=Path)
    arguments = parser.parse_args()
    images = _images(arguments.images, arguments.height, arguments.width)
    os.chdir(arguments.folder)  # it writes its settings and its files there
    os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(arguments.folder.resolve())}
    _without_compiled_operators()
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    yolo = YOLO(f"{NET}.yaml")
    with torch.no_grad():
        _randomize(yolo.model, torch.from_numpy(images))
    yolo.save(f"{NET}.pt")
    yolo.export(format="onnx", imgsz=(arguments.height, arguments.width), dynamic=arguments.dynamic)


def _randomize(net, images) -> None:
    """Random weights that images go through as they go through trained ones, as far as INT8 is concerned.

    Layers of plain noise amplify the smallest differences: one gray level more or less changed most of a mask. So the
    kernels are smooth, and each BatchNorm shifts to where SiLU is nearly linear.
    """
    import torch
    from torch import nn

    line = torch.tensor([0.25, 0.5, 0.25])
    smooth = line[:, None] * line
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.weight *= 0.3
            module.weight += nn.init.kaiming_normal_(torch.empty(*module.weight.shape[:2], 1, 1)) * smooth
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.7, 1.3)
        nn.init.uniform_(norm.bias, 1.0, 2.0)
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    net(images)
    net.eval()
    for norm in norms:
        norm.momentum = 0.03
    head = net.model[-1]
    score, seen = head.classifier[-1], []
    hook = score.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net(images)
    hook.remove()
    nn.init.normal_(score.weight)
    nn.init.zeros_(score.bias)
    scores = score(seen[0])
    mean, std = scores.mean((0, 2, 3)), scores.std((0, 2, 3))
    score.weight /= std.view(-1, 1, 1, 1)
    score.bias -= mean / std


def _images(folder: Path | None, height: int, width: int) -> np.ndarray:
    """``(BATCH, 3, height, width)`` float32 RGB of 0 to 1: images of a folder, else smooth noise."""
    if folder is None:
        random = np.random.default_rng(0)
        made = random.uniform(0, 255, (BATCH, height // 16, width // 16, 3)).astype(np.uint8)
        found = list(made)
    else:
        found = [cv2.imread(str(path)) for path in sorted(folder.iterdir())[:BATCH]]
    planes = [cv2.resize(image, (width, height))[:, :, ::-1].transpose(2, 0, 1) for image in found]
    return np.ascontiguousarray(np.stack(planes), np.float32) / 255


def _without_compiled_operators() -> None:
    """torchvision's operators of C++ do not load into every torch; the network needs none of them."""
    import torch

    try:
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _without_compiled_operators.kept = library
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        sys.modules["torchvision"] = types.ModuleType("torchvision")


if __name__ == "__main__":
    main()
