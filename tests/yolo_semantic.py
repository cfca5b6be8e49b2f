"""A program for the interpreter that has Ultralytics: makes its smallest semantic network, and runs it.

    python tests/yolo_semantic.py random FOLDER HEIGHT WIDTH --images FOLDER [--dynamic]
    python tests/yolo_semantic.py trained FOLDER HEIGHT WIDTH --split FOLDER [--steps N]
    python tests/yolo_semantic.py predict FOLDER HEIGHT WIDTH

``random`` gives it random weights, ``trained`` trains it for a few minutes on a split with ``images`` and ``labels``;
both write ``yolo26n-sem.onnx`` and ``yolo26n-sem.pt`` with Ultralytics' own exporter. ``predict`` reads ``frames.npy``
and writes the masks that ``YOLO(...).predict`` gives to ``masks.npy``. Ultralytics is under the AGPL: it runs here as a
program, and nothing imports this.
"""

from __future__ import annotations

import argparse
import os
import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NET = "yolo26n-sem"
BATCH = 4
CAMVID_CLASSES = 11


def main() -> None:
    """Do what the first argument says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["random", "trained", "predict"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("height", type=int)
    parser.add_argument("width", type=int)
    parser.add_argument("--dynamic", action="store_true")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--split", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    size = given.height, given.width
    given.folder, *others = (each and each.resolve() for each in (given.folder, given.images, given.split))
    given.images, given.split = others
    os.chdir(given.folder)  # it writes its settings and its files there
    os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(given.folder)}
    _without_compiled_operators()
    import torch
    from ultralytics import YOLO

    if given.what == "predict":
        net = YOLO(f"{NET}.onnx", task="semantic")
        found = [net.predict(frame, imgsz=size, device="cpu", verbose=False)[0] for frame in np.load("frames.npy")]
        np.save("masks.npy", np.stack([each.semantic_mask.data.numpy().reshape(each.orig_shape) for each in found]))
        return
    torch.manual_seed(0)
    yolo = YOLO(f"{NET}.yaml")
    if given.what == "random":
        with torch.no_grad():
            _randomize(yolo.model, torch.from_numpy(_planes(sorted(given.images.iterdir())[:BATCH], size)))
    else:
        _train(yolo.model, given.split, given.steps)
    yolo.save(f"{NET}.pt")
    yolo.export(format="onnx", imgsz=size, dynamic=given.dynamic)


def _randomize(net: Any, images: Any) -> None:
    """Random weights that images go through without chaos.

    Layers of plain noise amplify the smallest differences: one gray level more or less changed most of a mask. So the
    kernels are smooth, and each BatchNorm, whose statistics are those of images, shifts to where SiLU is nearly linear.
    The head gives each class zero mean and unit variance, so that masks hold many classes.
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
    score, seen = net.model[-1].classifier[-1], []
    hook = score.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net(images)
    hook.remove()
    nn.init.normal_(score.weight)
    nn.init.zeros_(score.bias)
    scores = score(seen[0])
    mean, std = scores.mean((0, 2, 3)), scores.std((0, 2, 3))
    score.weight /= std.view(-1, 1, 1, 1)
    score.bias -= mean / std


def _train(net: Any, split: Path, steps: int) -> None:
    """Train on small images, by cross-entropy at the stride of the scores."""
    import torch
    from torch.nn import functional

    size = 192, 256
    paths = sorted((split / "images").iterdir())
    planes = _planes(paths, size)
    labels = [cv2.imread(str(split / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED) for path in paths]
    cells = [cv2.resize(each, (size[1] // 8, size[0] // 8), interpolation=cv2.INTER_NEAREST) for each in labels]
    targets = torch.from_numpy(np.stack(cells).astype(np.int64))
    targets[targets >= CAMVID_CLASSES] = 255
    random = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    net.train().requires_grad_(True)
    for _ in range(steps):
        chosen = random.choice(len(paths), BATCH, replace=False)
        batch = torch.from_numpy(planes[chosen])
        wanted = targets[chosen]
        if random.random() < 0.5:
            batch, wanted = batch.flip(3), wanted.flip(2)
        found, _ = net(batch)
        loss = functional.cross_entropy(found, wanted, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()


def _planes(paths: list[Path], size: tuple[int, int]) -> np.ndarray:
    """``(N, 3, H, W)`` float32 RGB of 0 to 1."""
    height, width = size
    images = [cv2.resize(cv2.imread(str(path)), (width, height), interpolation=cv2.INTER_AREA) for path in paths]
    return np.ascontiguousarray(np.stack([each[:, :, ::-1].transpose(2, 0, 1) for each in images]), np.float32) / 255


def _without_compiled_operators() -> None:
    """torchvision's operators of C++ do not load into every torch; the network needs none of them."""
    import torch

    try:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        sys.modules["_torchvision_operators"] = types.ModuleType("_torchvision_operators")
        sys.modules["_torchvision_operators"].library = library  # type: ignore[attr-defined]
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        sys.modules["torchvision"] = types.ModuleType("torchvision")


if __name__ == "__main__":
    main()
