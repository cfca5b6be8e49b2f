"""The calibration table of a build: the one that was given, or the one that a shipped model brings."""

from __future__ import annotations

from fcn_edge.artifacts.calibration_table import CalibrationTable, read_table
from fcn_edge.artifacts.models import Model
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import TableError, UsageError
from fcn_edge.text import quoted

__all__ = ["table_for"]


def table_for(model: Model, request: BuildRequest) -> CalibrationTable | None:
    """The calibration table of a model, checked against it; None where there is none and none is needed.

    Raises:
        TableError: INT8 was asked for and there is no table; or the table is damaged, or another model's.
        UsageError: A table was given for a graph that is typed already.
    """
    if model.spec.precision != "fp32":
        if request.calibration is not None:
            raise UsageError(
                f"{model.path} is an {model.spec.precision} graph already; no calibration table changes it.",
                "Leave --calibration out, or give the fp32 ONNX file.",
            )
        return None
    path = request.calibration
    if path is None and request.precision != "fp32":
        path = model.table_path
    if path is None:
        if request.precision == "int8":
            raise TableError(
                f"INT8 needs a calibration table, and {model.shipped or model.path} has none.",
                f"Make one: fcn-edge calibrate {quoted(model.shipped or model.path)} --images DIR -o "
                "table.json; then give --calibration table.json",
            )
        return None
    table = read_table(path)
    table.require_for(path, model.digest, model.spec)
    return table
