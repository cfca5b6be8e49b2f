"""Networks to be quantized, small and at full width."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fcn_edge.artifacts.calibration_table import CalibrationTable

from ..exported_fixtures import (
    exported,
    exporting,
    images_of_size,
    int8,
    int8_file,
    made_table,
    small,
    small_checkpoint,
    small_table,
    table,
    three_decoders,
    view,
)
from ..exported_networks import Exported

__all__ = [
    "exported",
    "exporting",
    "images_of_size",
    "int8",
    "int8_file",
    "small",
    "small_checkpoint",
    "small_table",
    "table",
    "made_table",
    "three_decoders",
    "view",
]


@pytest.fixture(scope="session")
def labels(small: Exported, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """``small``, ending in a mask."""
    import onnx

    from fcn_edge.export.rewrite import add_labels_head, set_spec

    model = onnx.load_model(small.path)
    add_labels_head(model, small.spec)
    spec = small.spec.replace(head="labels")
    set_spec(model, spec)
    path = tmp_path_factory.mktemp("labels") / "labels.onnx"
    onnx.save_model(model, path)
    return Exported(small.net, spec, path)


@pytest.fixture(scope="session")
def labels_table(labels: Exported, made_table: Callable[..., CalibrationTable]) -> CalibrationTable:
    """The calibration table of ``labels``."""
    return made_table(labels.path, labels.spec)
