"""What torch's own exporter writes is one of the forms that are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch
from torch import nn
from torch.nn import functional

from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.onnx_scores import onnx_network

from .foreign_exports import IMAGENET, parity_at
from .foreign_graphs import CLASSES, MEAN, STD, streets


class Wrapped(nn.Module):
    """Gives its main and its auxiliary scores, as torchvision's networks do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()
        )
        self.classifier, self.aux_classifier = nn.Conv2d(8, CLASSES, 1), nn.Conv2d(8, CLASSES, 1)
        # the second moment of features of normalized pixels is about one
        nn.init.normal_(self.classifier.weight)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores of the image's size."""
        features = self.backbone(x)
        heads = {"out": self.classifier, "aux": self.aux_classifier}
        return {
            name: functional.interpolate(head(features), size=x.shape[-2:], mode="bilinear", align_corners=False)
            for name, head in heads.items()
        }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_network_that_pytorch_exports_with_its_weights_beside_it(tmp_path: Path) -> None:
    torch.onnx.export(
        Wrapped().eval(),
        (torch.zeros(1, 3, 64, 96),),
        str(tmp_path / "theirs.onnx"),
        dynamo=True,
        external_data=True,
        input_names=["input"],
        output_names=["out", "aux"],
        verbose=False,
    )
    assert (tmp_path / "theirs.onnx.data").is_file()
    found = onnx_network(tmp_path / "theirs.onnx", IMAGENET)
    result = parity_at(found, tmp_path / "ours.onnx", (64, 96))
    assert (result.label_agreement, found.spec.stride) == (1.0, 4)
    assert {"backbone.0", "classifier"} <= {node.name for node in onnx.load(tmp_path / "ours.onnx").graph.node}
    named = onnx_network(
        tmp_path / "theirs.onnx", ImportOptions(mean=MEAN, std=STD, color_order="rgb", output_name="aux")
    )
    assert np.abs(named.scores(streets((64, 96))[0]) - found.scores(streets((64, 96))[0])).max() > 0.1
