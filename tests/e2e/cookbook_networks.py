"""Small files in the forms of the networks that the cookbook exports, with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets.info import DatasetInfo, toml_of_info

from .workspace import CAMVID, scenes, write_split

SIZE = (96, 128)
"""That of graphs whose sides are fixed: the network size that the tests give to all commands."""


def write_network(folder: Path, page: str) -> None:
    """Write what a page of the cookbook starts from, beside the workspace: its network and a split in its classes.

    Args:
        folder: The workspace.
        page: Name of the page; nothing is written for pages that bring their own.
    """
    write = NETWORKS.get(page)
    if write is not None:
        write(folder)


def _torchvision(folder: Path) -> None:
    import torch

    from tests.export.importers.torchvision_networks import torchvision_fcn

    net = torchvision_fcn(_images())
    torch.save(net.state, folder / "fcn_resnet50_coco-1167a1af.pth")
    _write_split(folder / "voc/val", LABEL_SETS["voc"].classes)


def _authors(folder: Path) -> None:
    import torch

    from tests.export.importers.published_vgg_fcn import random_published
    from tests.export.importers.test_caffe import saved

    net = random_published("fcn8s", _images(), widths=(16, 32, 48, 64, 64, 96, 96))
    torch.save(net.state_dict(), folder / "fcn8s_from_caffe.pth")
    saved(net, folder / "fcn8s-heavy-pascal.caffemodel")
    _write_split(folder / "voc/val", LABEL_SETS["voc"].classes)


def _mmsegmentation(folder: Path) -> None:
    import torch

    from tests.export.importers.mmseg_networks import resnet_fcn

    net = resnet_fcn(_images())
    torch.save({"state_dict": net.state, "meta": {}}, folder / "fcn_r50-d8_512x1024_40k_cityscapes.pth")
    for seed, split in enumerate(("train", "val")):
        _write_split(folder / "cityscapes" / split, LABEL_SETS["cityscapes"].classes, seed=seed)


def _jetson_inference(folder: Path) -> None:
    import torch

    from tests.export.importers.foreign_forms import segnet
    from tests.export.importers.foreign_graphs import CLASSES, save
    from tests.export.importers.torchvision_networks import torchvision_fcn

    there = folder / "FCN-ResNet18-Cityscapes-512x256"
    there.mkdir()
    save(segnet(size=SIZE), there / "fcn_resnet18.onnx")
    names = tuple(f"thing {index}" for index in range(CLASSES))
    (there / "classes.txt").write_text("\n".join(names), encoding="utf-8")
    (there / "colors.txt").write_text("".join(f"{index} 20 30 255\n" for index in range(CLASSES)), encoding="utf-8")
    _write_split(folder / "cells/val", names)
    net = torchvision_fcn(_images(), bottleneck=False)
    content = {"model": net.state, "arch": "fcn_resnet18", "dataset": "custom", "resolution": SIZE}
    torch.save(content, folder / "model_best.pth")
    (folder / "classes.txt").write_text("\n".join(f"name {index}" for index in range(21)), encoding="utf-8")


def _ultralytics(folder: Path) -> None:
    from tests.export.importers.foreign_forms import small_yolo
    from tests.export.importers.foreign_graphs import CLASSES, save

    save(small_yolo(SIZE, imgsz=str(list(SIZE))), folder / "yolo26n-sem.onnx")
    _write_split(folder / "mine/val", tuple(f"thing {index}" for index in range(CLASSES)))


def _any_onnx(folder: Path) -> None:
    from tests.export.importers.foreign_forms import paddleseg
    from tests.export.importers.foreign_graphs import CLASSES, save

    save(paddleseg(SIZE), folder / "theirs.onnx")
    _write_split(folder / "mine/val", tuple(f"class {index}" for index in range(CLASSES)))


NETWORKS: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "torchvision": _torchvision,
        "authors-fcn": _authors,
        "mmsegmentation": _mmsegmentation,
        "jetson-inference": _jetson_inference,
        "ultralytics": _ultralytics,
        "any-onnx": _any_onnx,
    }
)
"""By the name of the page."""


def _images() -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return [image for image, _ in scenes(41, 4)]


def _write_split(folder: Path, classes: tuple[str, ...], seed: int = 0) -> None:
    """A split of rendered scenes in a network's classes; what they are called does not matter to a random network."""
    few = min(len(classes), len(CAMVID.classes))
    split = scenes(43 + seed, 6)
    write_split(folder, split, "labels", [labels % few for _, labels in split])
    info = DatasetInfo(name="theirs", classes=classes, void=255)
    (folder.parent / "dataset.toml").write_text(toml_of_info(info), encoding="utf-8")
