"""Whether a file holds a graph or weights is told by its content; for a graph, torch is not needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.errors import CheckpointError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.registry import trained_network

from .foreign_exports import IMAGENET
from .foreign_forms import bare
from .foreign_graphs import save


def test_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        trained_network(tmp_path / "missing.pth", ImportOptions())


def test_a_graph_under_the_name_of_weights_is_a_graph(tmp_path: Path) -> None:
    found = trained_network(save(bare((64, 96)), tmp_path / "net.pth"), IMAGENET)
    assert (found.spec.family, found.spec.size) == ("onnx", (64, 96))
