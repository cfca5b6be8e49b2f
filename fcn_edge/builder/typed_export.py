"""The typed ONNX that a backend would compile, as a file for other programs, such as trtexec."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.onnx_seal import seal_onnx
from fcn_edge.artifacts.spec import ModelSpec, checked_size
from fcn_edge.backends import registry
from fcn_edge.builder.calibration import table_for
from fcn_edge.builder.candidates import Candidate, buildable_model
from fcn_edge.builder.identity import EngineIdentity
from fcn_edge.builder.options import BuildRequest
from fcn_edge.builder.tuner import DEFAULT_CHOICE
from fcn_edge.builder.typed_onnx import require_share, typed_file
from fcn_edge.errors import UsageError
from fcn_edge.io.files import replacing
from fcn_edge.io.outputs import check_outputs
from fcn_edge.system.cpu import instruction_set

__all__ = ["TypedExport", "write_typed_onnx"]


@dataclass(frozen=True)
class TypedExport:
    """A typed ONNX file that was written.

    Attributes:
        path: The file.
        backend: The backend that it is for.
        spec: What it says of itself.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands; None in a float graph.
    """

    path: Path
    backend: str
    spec: ModelSpec
    int8_share: float | None


def write_typed_onnx(model: str | Path | Model, request: BuildRequest, output: Path) -> TypedExport:
    """Write the typed ONNX that a backend would compile. The backend's library need not be there.

    Args:
        model: A shipped name, an fp32 ``.onnx`` file, or such a model that is open already.
        request: Backend, precision, calibration, batch; a size freezes the graph at it, else it stays open.
        output: The file to write.

    Raises:
        UsageError: The precision is not named, or the backend of an INT8 graph; the model is typed already; or the file
            may not be written, or is the model itself.
        ModelError: The model is missing or damaged.
        TableError: INT8 was asked for and the table is missing, damaged or another model's.
        GuardError: Too little of the graph would be INT8 for it to be called so.
    """
    if request.precision == "auto":
        raise UsageError("A typed ONNX file has one precision.", "Name it: --precision fp32, fp16 or int8.")
    if output.suffix != ".onnx":
        raise UsageError(f"{output} does not end in .onnx.", "Name the file such as model.int8.onnx.")
    if request.backend == "auto" and request.precision == "int8":
        names = [name for name in registry.BACKENDS if not registry.backend(name).no_int8]
        raise UsageError("An INT8 graph is made for one backend.", f"Name it: --backend {', '.join(names)}.")
    found = buildable_model(model, request)
    if found.spec.precision != "fp32":
        raise UsageError(
            f"{found.shipped or found.path} is an {found.spec.precision} graph already.", "Give the fp32 ONNX file."
        )
    reads = {"model that the typed graph is made from": found.path}
    if request.calibration is not None:
        reads["calibration table"] = request.calibration
    check_outputs({"typed graph": output}, reads)
    # float graphs are the same for all
    name = next(iter(registry.BACKENDS)) if request.backend == "auto" else request.backend
    made = registry.backend(name)
    table = table_for(found, request)
    profile = None
    kind = registry.BACKENDS[name].device
    device = DeviceInfo(kind, "", instruction_set() if kind == "cpu" else "")
    if request.precision == "int8":
        from fcn_edge.quantization.profiles import profile_for

        profile = profile_for(name, device.capability).name
    size = checked_size(request.size or found.spec.size, found.spec.geometry.size_multiple)
    spec = found.spec.replace(precision=request.precision, profile=profile)
    identity = EngineIdentity(found.digest, spec, size, request.precision, name, "", device, {}, request.batch)
    choice = table.choices.get(profile) if table is not None and profile is not None else None
    with tempfile.TemporaryDirectory() as directory:
        typed = typed_file(
            found,
            Candidate(made, identity, runs=False),
            Path(directory),
            table=table,
            choice=choice or DEFAULT_CHOICE,
            size=request.size,
        )
        require_share(typed.int8_share)
        with replacing(output, durable=True) as temporary:
            shutil.copyfile(typed.path, temporary)
            seal_onnx(temporary)
    return TypedExport(output, name, typed.spec, typed.int8_share)
