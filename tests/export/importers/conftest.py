"""Checkpoints of others to be exported."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.artifacts.weights import variants, weights_of
from fcn_edge.export import onnx as export_module
from fcn_edge.export.importers import mmsegmentation, torchvision
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.network import TrainedNetwork

from ...exported_fixtures import images_of_size

__all__ = ["images_of_size"]


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained_network(path: Path, options: ImportOptions) -> TrainedNetwork:
        for weights in variants(weights_of(path)):
            for family in (torchvision.FAMILY, *mmsegmentation.FAMILIES):
                if family.signature <= weights.tensors.keys():
                    return family.network(weights, options)
        raise AssertionError("no family")

    monkeypatch.setattr(export_module, "trained_network", trained_network)
