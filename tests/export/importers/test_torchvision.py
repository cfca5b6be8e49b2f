from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.onnx import onnx_from_checkpoint

from .described import reference_of, require_equal
from .torchvision_networks import torchvision_fcn

SIZE, ODD = (96, 160), (71, 117)


def training_checkpoint(state: dict[str, torch.Tensor]) -> dict[str, object]:
    """What ``references/segmentation/train.py`` saves."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.02, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=10, power=0.9)
    return {
        "model": state,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
        "epoch": 29,
        "args": argparse.Namespace(dataset="coco", model="fcn_resnet50", lr=0.02, output_dir=Path("runs")),
    }


def test_training_checkpoint_gives_the_networks_own_scores_and_masks(families, images_of_size, tmp_path: Path) -> None:
    images = images_of_size(SIZE)
    net = torchvision_fcn(images)
    checkpoint, output = tmp_path / "model_29.pth", tmp_path / "net.onnx"
    torch.save(training_checkpoint(net.state), checkpoint)
    result = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images)
    require_equal(output, reference_of(net), images, SIZE, ODD)
    spec = result.spec
    assert (spec.family, spec.name, spec.stride) == ("torchvision", "fcn_resnet20", 8)
    assert spec.classes == LABEL_SETS["voc"].classes
    assert spec.grid_size(ODD) == (9, 15)
