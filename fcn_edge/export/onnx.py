"""A trained network to a self-describing ONNX file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_seal import seal_onnx
from fcn_edge.artifacts.spec import LONGEST_NAME, ModelSpec, Resize, checked_size
from fcn_edge.datasets.scenes import rendered_images
from fcn_edge.errors import UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.registry import trained_network
from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.parity import Parity, parity_of_onnx
from fcn_edge.export.rewrite import add_labels_head, set_spec, store_weights_as_fp16
from fcn_edge.io.files import replacing, sha256_of
from fcn_edge.io.outputs import check_outputs
from fcn_edge.version import __version__

__all__ = ["Export", "onnx_from_checkpoint", "onnx_from_network"]


NOTHING_SAID = ImportOptions()


@dataclass(frozen=True)
class Export:
    """An ONNX file that was written and checked.

    Attributes:
        path: The file.
        spec: What it says of itself.
        digest: Digest of its graph and weights.
        parity: How well it agrees with the checkpoint.
        notes: What its user should know of how the checkpoint was taken, one sentence each.
    """

    path: Path
    spec: ModelSpec
    digest: str
    parity: Parity
    notes: tuple[str, ...] = ()


def onnx_from_checkpoint(
    checkpoint: Path,
    output: Path,
    *,
    options: ImportOptions = NOTHING_SAID,
    head: Literal["scores", "labels"] = "scores",
    name: str | None = None,
    resize: Resize | None = None,
    weights: Literal["fp32", "fp16"] = "fp32",
    images: Iterable[NDArray[np.uint8]] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Export:
    """Export a checkpoint and check the file against it; the file is written when both agree, or not at all.

    Args:
        checkpoint: What ``fcn-edge train`` wrote, or weights or an ONNX file of a family that is known.
        output: The ONNX file to write.
        options: What is said of the checkpoint: its architecture, size, classes and normalization.
        head: ``scores`` ends at class scores at the decoder's stride, ``labels`` at a full-size mask.
        name: What the model is called; as the checkpoint says when left out.
        resize: Another resize policy.
        weights: ``fp16`` halves the file; the graph computes in float32 all the same.
        images: ``(H, W, 3)`` uint8 BGR images to compare both on; rendered street scenes when left out.
        tell: Called with a line before each long step.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, or of no family that is known.
        ModelError: The ONNX file is damaged, or gives no class scores.
        UsageError: An argument does not fit the checkpoint, or the output may not be written.
        GuardError: File and checkpoint agree on too few pixels.
        DatasetError: The images cannot be read.
    """
    if output.suffix != ".onnx":
        raise UsageError(f"{output} does not end in .onnx.", "Name the file such as model.onnx.")
    check_outputs({"ONNX file": output}, {"checkpoint": checkpoint})
    if name is not None:
        _check_name(name)
    network = trained_network(checkpoint, options)
    network = network.with_spec(**_changes(network, options, head=head, name=name, resize=resize))
    spec = network.spec
    provenance = spec.provenance.model_copy(
        update={
            "checkpoint_sha256": sha256_of(checkpoint),
            "tools": {**spec.provenance.tools, **_versions(network.tools)},
        }
    )
    network = network.with_spec(provenance=provenance.model_dump())
    for note in network.notes:
        tell(note)
    tell(f"Exporting {spec.arch} ...")
    model = onnx_from_network(network)
    if weights == "fp16":
        store_weights_as_fp16(model)
    with replacing(output, durable=True) as temporary:
        onnx.save_model(model, temporary)
        del model  # half a gigabyte where the encoder has its fully connected layers
        seal_onnx(temporary)
        written = resolved_model(temporary)
        tell("Comparing the ONNX file with the checkpoint ...")
        parity = parity_of_onnx(written, network, rendered_images(spec.size) if images is None else images)
        parity.require()
        digest = written.digest
    return Export(output, network.spec, digest, parity, network.notes)


def onnx_from_network(network: TrainedNetwork) -> ModelProto:
    """The ONNX model of a network: the spec inside, height and width open, nothing of this machine.

    Input ``image``: ``(height, width, 3)`` uint8 BGR. Output ``scores``: ``(classes, rows, columns)`` float32; or
    ``labels``: ``(height, width)`` uint8.

    Args:
        network: The network.

    Raises:
        ModelError: The installed PyTorch gives a graph with operators that are not expected.
    """
    model = network.graph()
    model.producer_name, model.producer_version = "fcn_edge", __version__
    if network.spec.head == "labels":
        add_labels_head(model, network.spec)
    set_spec(model, network.spec)
    onnx.checker.check_model(model, full_check=True)
    return model


def _check_name(name: str) -> None:
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise UsageError(
            f"{name[:LONGEST_NAME]!r} is no name for a model.",
            f"Give --name at least one letter and at most {LONGEST_NAME}, on one line.",
        )


def _changes(
    network: TrainedNetwork, options: ImportOptions, *, head: str, name: str | None, resize: Resize | None
) -> dict[str, object]:
    """What an export changes in a network's spec."""
    spec = network.spec
    changes: dict[str, object] = {"head": head}
    multiple = spec.geometry.size_multiple
    if head == "labels" and spec.geometry.divides_evenly:
        # its mask is made by enlarging the scores by a whole number
        multiple = math.lcm(multiple, spec.stride)
        if network.only_size is not None and any(side % multiple for side in network.only_size):
            height, width = network.only_size
            raise UsageError(
                f"The network takes images of {height}x{width} only, which are no multiples of its stride "
                f"{spec.stride}: a mask inside the graph needs them.",
                "Leave out --head labels: the mask is then made of the scores, outside the graph.",
            )
        changes["geometry"] = spec.geometry.model_copy(update={"size_multiple": multiple}).model_dump()
    if options.size is not None:
        changes["size"] = options.size
    checked_size(options.size or spec.size, multiple)
    if name is not None:
        changes["name"] = name
    if resize is not None:
        # another policy moves neither where a padded frame lies nor what is beside it
        usual = {} if resize.policy == "stretch" else {"anchor": spec.resize.anchor, "fill": spec.resize.fill}
        changes["resize"] = {**resize.model_dump(), **usual}
    return changes


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {"fcn_edge": __version__, **{package: version(package) for package in packages}}
