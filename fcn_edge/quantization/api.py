"""``fcn_edge.calibrate``: what ``fcn-edge calibrate`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fcn_edge.artifacts.calibration_table import CalibrationTable, write_table
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import Size, checked_size
from fcn_edge.backends.options import RunOptions
from fcn_edge.datasets.calibration import calibration_set, write_manifest
from fcn_edge.errors import ModelError, UsageError, needed_for
from fcn_edge.io.outputs import check_outputs

__all__ = ["calibrate"]


def calibrate(
    model: str | Path | Model,
    images: str | Path,
    output: str | Path,
    *,
    count: int = 128,
    size: Size | None = None,
    root: str | Path | None = None,
    manifest: str | Path | None = None,
    seed: int = 0,
    threads: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
    choosing: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    clipping: Callable[[int, int], None] | None = None,
) -> CalibrationTable:
    """Calibrate a model on images, for INT8: record what its activations are and where to clip them.

    The ways of clipping are tried on the first of the images, and for each kind of graph the one is noted that
    changes the masks least. A build takes that, and tries the others only where it loses too much on labeled images.

    Args:
        model: A shipped name, an fp32 ``.onnx`` file, or such a model that is open already.
        images: A split (images with labels), a folder of images, a manifest of chosen images, or
            ``synthetic://street``. From images with labels those are chosen that show every class; from others, such as
            differ in content.
        output: The table to write, ``.json``.
        count: How many images to choose; all where there are fewer.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's own when left out. The table
            serves every size.
        root: Where a manifest's images lie; beside it when left out.
        manifest: Where to write down which images were chosen, ``.json``; nowhere when left out.
        seed: Decides among images that are as good.
        threads: Threads of ONNX Runtime; 2 when left out, on every machine: the same number gives the same table, to
            the byte.
        tell: Called with a line for each thing that the caller should know of the choice.
        choosing: Called with images looked at for the choice and images in all.
        progress: Called with images run and images in all.
        clipping: Called with INT8 graphs tried and graphs in all.

    Returns:
        The table that was written.

    Raises:
        UsageError: An argument makes no sense, or an output may not be written or is also an input.
        ModelError: The model is missing, damaged, or not fp32.
        DatasetError: An image cannot be read, or the images are useless: random, or of one color.
        MissingExtraError: onnx or ONNX Runtime is not installed.
    """
    with needed_for("A calibration"):  # before minutes of work
        from fcn_edge.quantization.calibrate import calibration_table
        from fcn_edge.quantization.clipping import LOOKED_AT, with_clipping
        from fcn_edge.quantization.profiles import PROFILES

    found = resolved_model(model)
    outputs = {"table": Path(output), **({} if manifest is None else {"manifest": Path(manifest)})}
    name = found.path if isinstance(model, Model) else model
    if found.kind == "engine":
        raise UsageError(f"{name} is an engine; fp32 models are calibrated.", "Give the ONNX file it was built from.")
    if found.spec.precision != "fp32":
        raise ModelError(f"{name} is an {found.spec.precision} graph; fp32 ones are calibrated.", "Give the fp32 file.")
    if size is not None:  # like what follows, before minutes of work
        checked_size(size, found.spec.geometry.size_multiple)
    RunOptions(threads)
    for path in outputs.values():
        if path.suffix != ".json":
            raise UsageError(f"{path} does not end in .json.", "Name it such as table.json.")
    check_outputs(outputs, {"model": found.path, "manifest of the images": Path(images)})
    root = None if root is None else Path(root)
    chosen = calibration_set(images, found.spec.classes, count, seed, choosing, root=root)
    for line in chosen.notes:
        tell(line)
    if manifest is not None:
        write_manifest(outputs["manifest"], chosen)
    table = calibration_table(found, chosen, size=size, threads=threads, progress=progress)
    first = [image.read() for image in chosen.images[:LOOKED_AT]]
    table = with_clipping(found, table, first, threads=threads, progress=clipping)
    unknown = [name for name in PROFILES if name not in table.choices]
    if unknown:
        tell(f"How to clip could not be compared for {', '.join(unknown)}; builds clip by least squared error there.")
    write_table(outputs["table"], table)
    return table
