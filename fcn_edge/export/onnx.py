"""A trained network to a self-describing ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from fcn_edge.artifacts.label_sets import LabelSet
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import ModelSpec, Resize, Size, checked_size
from fcn_edge.datasets.scenes import rendered_images
from fcn_edge.errors import UsageError
from fcn_edge.export.folding import DeployedFCN
from fcn_edge.export.parity import Parity, parity_of_onnx
from fcn_edge.export.rewrite import (
    add_labels_head,
    open_size,
    require_operators,
    set_spec,
    store_weights_as_fp16,
    tidy,
)
from fcn_edge.io.files import replacing, sha256_of
from fcn_edge.nets.checkpoints import load_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.version import __version__

__all__ = ["OPSET", "Export", "onnx_from_checkpoint", "onnx_from_net"]

OPSET = 20
IR_VERSION = 9
"""ONNX file version that goes with the opset."""

OPERATORS = frozenset(
    "Add ArgMax Cast Clip Conv MaxPool Relu Resize Squeeze Sub Transpose Unsqueeze".split()  # noqa: SIM905
)
"""What an exported graph may hold; none of them depends on the image size."""

TRACED_SIZE = (96, 128)


@dataclass(frozen=True)
class Export:
    """An ONNX file that was written and checked.

    Attributes:
        path: The file.
        spec: What it says of itself.
        digest: Digest of its graph and weights.
        parity: How well it agrees with the checkpoint.
    """

    path: Path
    spec: ModelSpec
    digest: str
    parity: Parity


def onnx_from_checkpoint(
    checkpoint: Path,
    output: Path,
    *,
    arch: str | None = None,
    decoder: str | None = None,
    size: Size | None = None,
    head: Literal["scores", "labels"] = "scores",
    name: str | None = None,
    labels: LabelSet | None = None,
    resize: Resize | None = None,
    weights: Literal["fp32", "fp16"] = "fp32",
    images: Iterable[NDArray[np.uint8]] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Export:
    """Export a checkpoint and check the file against it; the file is written when both agree, or not at all.

    Args:
        checkpoint: What ``fcn-edge train`` wrote.
        output: The ONNX file to write.
        arch: What the checkpoint is expected to be: encoder and decoder (``vgg16-fcn8s``), or one of them.
        decoder: The decoder it is expected to have.
        size: Default network size ``(height, width)``; the checkpoint's when left out.
        head: ``scores`` ends at class scores at the decoder's stride, ``labels`` at a full-size mask.
        name: What the model is called; as the checkpoint says when left out.
        labels: Other names, colors and void for the same number of classes.
        resize: Another resize policy.
        weights: ``fp16`` halves the file; the graph computes in float32 all the same.
        images: ``(H, W, 3)`` uint8 BGR images to compare both on; rendered street scenes when left out.
        tell: Called with a line before each long step.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or no checkpoint of fcn_edge.
        UsageError: An argument does not fit the checkpoint, or the output may not be written.
        GuardError: File and checkpoint agree on too few pixels.
        DatasetError: The images cannot be read.
    """
    _check_output(output)
    net, spec = load_checkpoint(checkpoint)
    _check_arch(checkpoint, spec, arch, decoder)
    spec = _changed(spec, size=size, head=head, name=name, labels=labels, resize=resize)
    provenance = spec.provenance.model_copy(
        update={"checkpoint_sha256": sha256_of(checkpoint), "tools": {**spec.provenance.tools, **_tools()}}
    )
    spec = spec.replace(provenance=provenance.model_dump())
    tell(f"Exporting {spec.arch} ...")
    model = onnx_from_net(net, spec)
    if weights == "fp16":
        store_weights_as_fp16(model)
    with replacing(output) as temporary:
        onnx.save_model(model, temporary)
        written = resolved_model(temporary)
        tell("Comparing the ONNX file with the checkpoint ...")
        parity = parity_of_onnx(written, net, rendered_images(spec.size) if images is None else images)
        parity.require()
        digest = written.digest
    return Export(output, spec, digest, parity)


def onnx_from_net(net: FCN, spec: ModelSpec) -> ModelProto:
    """The ONNX model of a network: the spec inside, height and width open, nothing of this machine.

    Input ``image``: ``(32*h, 32*w, 3)`` uint8 BGR. Output ``scores``: ``(classes, 32*h / stride, 32*w / stride)``
    float32; or ``labels``: ``(32*h, 32*w)`` uint8.

    Args:
        net: The network, with at least the decoder of the spec; left as it is.
        spec: What it is.

    Raises:
        UsageError: The network is not what the spec says.
        ModelError: The installed PyTorch gives a graph with operators that are not expected.
    """
    if net.encoder_name != spec.encoder or net.classes != len(spec.classes):
        raise UsageError(
            f"The network is {net.encoder_name} with {net.classes} classes; the spec says {spec.encoder} with "
            f"{len(spec.classes)}.",
            "Give the spec of this network.",
        )
    deployed = DeployedFCN(net, spec.decoder, spec.normalization)
    model = _traced(deployed)
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "fcn_edge", __version__
    require_operators(model, OPERATORS)
    tidy(model, deployed.state_dict().keys())
    open_size(model, spec.stride)
    if spec.head == "labels":
        add_labels_head(model, spec.stride)
    set_spec(model, spec)
    onnx.checker.check_model(model, full_check=True)
    return model


def _traced(net: DeployedFCN, dynamic_shapes: dict[str, dict[int, torch.export.Dim]] | None = None) -> ModelProto:
    """What PyTorch's exporter makes of a network at ``TRACED_SIZE``.

    The sizes are declared open afterwards: the graph is the same as with ``dynamic_shapes``, and made in a quarter of
    the time.
    """
    with _quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            net,
            (torch.zeros((*TRACED_SIZE, 3), dtype=torch.uint8),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["scores"],
            dynamic_shapes=dynamic_shapes,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _check_output(output: Path) -> None:
    if output.suffix != ".onnx":
        raise UsageError(f"{output} does not end in .onnx.", "Name the file such as model.onnx.")
    if output.is_dir():
        raise UsageError(f"{output} is a directory.", "Name a file such as model.onnx.")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"There is no directory {output.parent} to write {output.name} to.", "Make it first.")


def _check_arch(checkpoint: Path, spec: ModelSpec, arch: str | None, decoder: str | None) -> None:
    for argument, wanted, known in (
        ("arch", arch, (spec.arch, spec.encoder, spec.decoder)),
        ("decoder", decoder, (spec.decoder,)),
    ):
        if wanted is not None and wanted not in known:
            raise UsageError(
                f"{checkpoint} is {spec.arch}, not {wanted}.",
                f"Leave out {argument}: the checkpoint says what it is.",
            )


def _changed(
    spec: ModelSpec,
    *,
    size: Size | None,
    head: str,
    name: str | None,
    labels: LabelSet | None,
    resize: Resize | None,
) -> ModelSpec:
    changes: dict[str, object] = {"head": head}
    if size is not None:
        changes["size"] = checked_size(size)
    if name is not None:
        changes["name"] = name
    if resize is not None:
        changes["resize"] = resize.model_dump()
    if labels is not None:
        if len(labels.classes) != len(spec.classes):
            raise UsageError(
                f"{labels.name} has {len(labels.classes)} classes; the checkpoint has {len(spec.classes)}.",
                "Give as many names as the checkpoint has classes.",
            )
        changes |= {"classes": labels.classes, "palette": labels.palette, "void": labels.void}
    return spec.replace(**changes)


def _tools() -> dict[str, str]:
    import onnxscript

    return {
        "fcn_edge": __version__,
        "onnx": onnx.__version__,
        "onnxscript": onnxscript.__version__,
        "torch": torch.__version__,
    }


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep PyTorch's notes to its own developers from the user's terminal."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
