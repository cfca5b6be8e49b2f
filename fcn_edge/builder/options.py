"""What a build is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.device import ManifestValue
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.options import BuildOptions, RunOptions
from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.errors import UsageError

__all__ = ["PRECISIONS", "BuildRequest"]

PRECISIONS = ("fp32", "fp16", "int8")
"""Precisions that an engine can be built with."""


@dataclass(frozen=True)
class BuildRequest:
    """How to build.

    Attributes:
        backend: A name of ``fcn_edge.backends.BACKENDS``; ``auto`` takes the fastest of those that run here.
        precision: One of ``PRECISIONS``; ``auto`` takes the fastest that holds the guard.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's default when left out.
        calibration: The calibration table; a shipped model's own when left out.
        evaluation: Labeled images that accuracy is measured on; rendered scenes stand in when left out.
        max_drop: How much mIoU, as a fraction of 1, an engine may lose against FP32 on the labeled images.
        max_class_drop: How much IoU any one class may lose there.
        guard: Whether an engine that loses more is refused.
        device: Index of the GPU that GPU backends build on and for, from 0, as CUDA counts them.
        batch: Frames that the engine takes at once, 1 to ``LARGEST_BATCH``; not every backend's take more than one.
        timed: Measure an engine's speed also where nothing depends on it, because there is no other to choose.
        threads: Threads that engines of CPU backends are timed with; the physical cores when None.
        recipe: Name of the recipe that the values come from, for the manifest; empty for none. It binds nothing: the
            values do.

    Raises:
        UsageError: There is no such precision, a drop is no fraction, the index of the GPU is negative, the batch or
            the threads out of range, or images were given to guard with and no guard was asked for.
    """

    backend: str = "auto"
    precision: str = "fp32"
    size: Size | None = None
    calibration: Path | None = None
    evaluation: LabeledSplit | None = None
    max_drop: float = 0.01
    max_class_drop: float = 0.03
    guard: bool = True
    device: int = 0
    batch: int = 1
    timed: bool = True
    threads: int | None = None
    recipe: str = ""

    def __post_init__(self) -> None:
        BuildOptions(self.device, self.batch)
        RunOptions(self.threads)
        if self.precision not in (*PRECISIONS, "auto"):
            known = ", ".join((*PRECISIONS, "auto"))
            raise UsageError(f"There is no precision {self.precision!r} to build with.", f"There is: {known}.")
        for name, value in (("max_drop", self.max_drop), ("max_class_drop", self.max_class_drop)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name} is {value}; a fraction of 1 was expected.", "One point of mIoU is 0.01.")
        if not self.guard and self.evaluation is not None:
            raise UsageError(
                "Labeled images to guard with were given, and no guard was asked for.", "Give one or the other."
            )

    def options(self) -> dict[str, ManifestValue]:
        """What of it an engine is bound to, besides backend, precision and size."""
        options: dict[str, ManifestValue] = {}
        if self.precision != "fp32":
            options["guard"] = self.guard
        if self.threads is not None:
            options["threads"] = self.threads
        split = self.evaluation
        if split is not None:
            options["evaluated_on"] = f"{split.info.name} {split.name} ({len(split)} images, {fingerprint_of(split)})"
            options |= {"max_drop": self.max_drop, "max_class_drop": self.max_class_drop}
        return options
