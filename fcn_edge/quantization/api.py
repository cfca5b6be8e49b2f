"""``fcn_edge.calibrate``: what ``fcn-edge calibrate`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fcn_edge.artifacts.calibration_table import CalibrationTable, write_table
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.spec import Size
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.io.files import check_writable
from fcn_edge.quantization.calibrate import calibration_table

__all__ = ["calibrate"]


def calibrate(
    model: str | Path,
    images: str | Path,
    output: str | Path,
    *,
    count: int = 128,
    size: Size | None = None,
    root: str | Path | None = None,
    seed: int = 0,
    threads: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] | None = None,
) -> CalibrationTable:
    """Calibrate a model on images, for INT8: record what its activations are and where to clip them.

    Args:
        model: A shipped name or an fp32 ``.onnx`` file.
        images: A split (images with labels), a folder of images, a manifest of chosen images, or
            ``synthetic://street``. From images with labels those are chosen that show every class; from others, such as
            differ in content.
        output: The table to write, ``.json``.
        count: How many images to choose; all where there are fewer.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's own when left out. The table
            serves every size.
        root: Where a manifest's images lie; beside it when left out.
        seed: Decides among images that are as good.
        threads: Threads of ONNX Runtime; 2 when left out, on every machine: the same number gives the same table, to
            the byte.
        tell: Called with a line for each thing that the caller should know of the choice.
        progress: Called with images run and images in all.

    Returns:
        The table that was written.

    Raises:
        UsageError: An argument makes no sense, or the output may not be written.
        ModelError: The model is missing, damaged, or not fp32.
        DatasetError: An image cannot be read, or the images are useless: random, or of one color.
    """
    found, path = resolved_model(model), Path(output)
    if found.kind == "engine":
        raise UsageError(f"{model} is an engine; fp32 models are calibrated.", "Give the ONNX file it was built from.")
    if found.spec.precision != "fp32":
        raise ModelError(
            f"{model} is an {found.spec.precision} graph; fp32 ones are calibrated.", "Give the fp32 file."
        )
    if path.suffix != ".json":
        raise UsageError(f"{path} does not end in .json.", "Name it such as table.json.")
    check_writable(path)
    chosen = calibration_set(images, found.spec.classes, count, seed, root=None if root is None else Path(root))
    for line in chosen.notes:
        tell(line)
    table = calibration_table(found, chosen, size=size, threads=threads, progress=progress)
    write_table(path, table)
    return table
