"""What the tests from model to engine share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fcn_edge.artifacts.calibration_table import write_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import Size

Calibrate = Callable[[Path, Size, int], Path]


@pytest.fixture(scope="session")
def calibrate(tmp_path_factory: pytest.TempPathFactory) -> Calibrate:
    """Writes the table of a model calibrated on a few rendered scenes: ``calibrate(model, size, images)``."""
    pytest.importorskip("onnx")
    from fcn_edge.datasets.calibration import calibration_set
    from fcn_edge.quantization.calibrate import calibration_table

    def calibrate(model: Path, size: Size, images: int) -> Path:
        opened = resolved_model(model)
        address = f"synthetic://street?seed=300&size={size[0]}x{size[1]}"
        chosen = calibration_set(address, opened.spec.classes, images)
        path = tmp_path_factory.mktemp("table") / "table.json"
        write_table(path, calibration_table(opened, chosen, size=size))
        return path

    return calibrate
