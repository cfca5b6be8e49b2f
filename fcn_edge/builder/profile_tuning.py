"""How a model is best quantized for each profile, measured on labeled images that are for choosing only.

What ships models uses this once and stores the answers in their calibration tables; a build then has nothing to choose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from fcn_edge.artifacts.calibration_table import CalibrationTable, QuantizationChoice
from fcn_edge.artifacts.models import Model
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.builder.mixed_precision import best_method, mixed_precision, sensitivities
from fcn_edge.datasets import LabeledSplit
from fcn_edge.evaluation.guard import LabeledGuard, Verdict
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.typed_graph import int8_model

__all__ = ["chosen_for_profiles"]


def chosen_for_profiles(
    model: Model,
    table: CalibrationTable,
    split: LabeledSplit,
    *,
    profiles: Sequence[str] = tuple(PROFILES),
    max_drop: float,
    max_class_drop: float,
    tell: Callable[[str], None] = lambda _: None,
) -> CalibrationTable:
    """The table with the method, and the layers that stay in floating point, for each profile.

    Every graph runs node by node as it is written, with Q/DQ around arithmetic in float, so that the answer does not
    depend on the integer instructions of this processor.

    Args:
        model: The fp32 ONNX file.
        table: Its calibration table.
        split: Labeled images; neither those of the table nor those that will judge.
        profiles: Names in ``PROFILES``.
        max_drop: mIoU that may be lost, as a fraction of 1.
        max_class_drop: IU that any class may lose.
        tell: Called with one line per step.

    Raises:
        GuardError: A profile cannot hold the limits.
    """
    spec = model.spec
    choices = dict(table.choices)
    with open_unfused(model.path, spec, spec.size) as engine, engine.session() as session:
        guard = LabeledGuard(split, session, max_drop, max_class_drop)
    with TemporaryDirectory() as directory:
        typed_path = Path(directory) / "typed.onnx"
        for name in profiles:
            layers: tuple[str, ...] = ()

            def attempt(choice: QuantizationChoice, name: str = name) -> tuple[Verdict, float]:
                nonlocal layers
                typed = int8_model(
                    model, PROFILES[name], table, method=choice.method, excluded_layers=choice.excluded_layers
                )
                layers = layers or typed.quantized
                typed_path.write_bytes(typed.model.SerializeToString())
                with open_unfused(typed_path, typed.spec, spec.size) as engine, engine.session() as session:
                    return guard.judge(session), typed.int8_share

            tell(f"{name}:")
            choice, verdict = best_method(attempt, tell)
            if not verdict.holds:
                ranking = sensitivities(layers, choice, attempt, tell)
                choice, _ = mixed_precision(choice, ranking, attempt, tell)
            where = f"{split.info.name} {split.name}, {len(split)} images"
            choices[name] = choice.model_copy(update={"selected_on": where})
    return table.model_copy(update={"choices": choices})
