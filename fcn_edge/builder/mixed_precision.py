"""How an INT8 candidate clips its activations and which layers it leaves in floating point, decided by measuring.

Of the methods that hold the guard on the images to choose on, or of all where none does, the one with the best mIoU is
taken. Where it loses too much, the groups of layers whose quantization costs most go back to floating point, one after
the other, as far as each brings the candidate nearer to what the guard allows, until it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.calibration_table import METHODS, QuantizationChoice
from fcn_edge.builder.typed_onnx import INT8_SHARE
from fcn_edge.errors import GuardError
from fcn_edge.evaluation.guard import Verdict

__all__ = ["Sensitivity", "best_method", "group_of", "groups_of", "mixed_precision", "sensitivities"]

Try = Callable[[QuantizationChoice], tuple[Verdict, float]]
"""Builds a candidate by a choice; gives what the guard says of it, and its INT8 share."""


@dataclass(frozen=True)
class Sensitivity:
    """What quantizing one group of layers alone costs.

    Attributes:
        group: Name of the group.
        layers: Its convolutions.
        drop: mIoU lost against fp32, as a fraction of 1.
        excess: That, or what the worst class loses, in shares of what the guard allows (``Verdict.excess``).
    """

    group: str
    layers: tuple[str, ...]
    drop: float
    excess: float


def group_of(layer: str) -> str:
    """The group of a layer: its block in the encoder, or the decoder."""
    parts = layer.split(".")
    if parts[0] != "encoder":
        return parts[0]
    # ResNet's blocks are encoder.layer1.0, the others' encoder.features.3
    return ".".join(parts[:3]) if len(parts) > 2 and parts[2].isdigit() else ".".join(parts[:2])


def groups_of(layers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Layers by the name of their group, in their order."""
    groups: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        name = group_of(layer)
        groups[name] = (*groups.get(name, ()), layer)
    return groups


def best_method(attempt: Try, tell: Callable[[str], None]) -> tuple[QuantizationChoice, Verdict]:
    """The method whose candidate loses least mIoU, of those that hold the guard where any does.

    Args:
        attempt: Builds and judges.
        tell: Called with one line per method.
    """
    found: list[tuple[Verdict, QuantizationChoice]] = []
    for method in METHODS:
        choice = QuantizationChoice(method=method)
        verdict, _ = attempt(choice)
        tell(f"{method}: {verdict.sentence}")
        found.append((verdict, choice))
    verdict, choice = min(found, key=lambda one: (not one[0].holds, one[0].drop, one[0].worst_drop))
    return choice, verdict


def sensitivities(
    layers: Sequence[str], choice: QuantizationChoice, attempt: Try, tell: Callable[[str], None]
) -> tuple[Sensitivity, ...]:
    """What each group of layers costs when it alone is quantized, the costliest first.

    Args:
        layers: All that may be quantized.
        choice: How to clip.
        attempt: Builds and judges.
        tell: Called with one line per group.
    """
    found = []
    for group, members in groups_of(layers).items():
        others = tuple(layer for layer in layers if layer not in members)
        verdict, _ = attempt(QuantizationChoice(method=choice.method, excluded_layers=others))
        found.append(Sensitivity(group, members, verdict.drop, verdict.excess))
        worst = f", {verdict.worst_class} {100 * -verdict.worst_drop:+.2f}" if verdict.worst_class else ""
        tell(f"{group} alone: {100 * -verdict.drop:+.2f} points{worst}")
    return tuple(sorted(found, key=lambda one: -one.excess))


def mixed_precision(
    choice: QuantizationChoice, ranking: Sequence[Sensitivity], attempt: Try, tell: Callable[[str], None]
) -> tuple[QuantizationChoice, Verdict]:
    """The choice with those groups in floating point that the guard needs, the costliest first.

    A group that is too large to go back, because too little would be INT8 then, is passed over. One that brings the
    candidate no nearer to what is allowed waits until another has gone back. At the end, groups that turn out not to be
    needed become INT8 again.

    Args:
        choice: Where to start.
        ranking: The groups, the costliest first.
        attempt: Builds and judges.
        tell: Called with one line per step.

    Raises:
        GuardError: It does not hold with all those groups in floating point that may be and help.
    """
    best, _ = attempt(choice)
    back: list[Sensitivity] = []
    waiting, found = list(ranking), True
    while found and not best.holds:  # what did not help at first may, once another class is the worst
        found, idle = False, []
        for sensitivity in waiting:
            verdict, share = attempt(_with(choice, [*back, sensitivity]))
            if share < INT8_SHARE:
                tell(f"{sensitivity.group} cannot be in floating point: only {share:.0%} would be INT8")
            elif verdict.excess >= best.excess:
                tell(f"{sensitivity.group} in floating point does not help: {verdict.sentence}")
                idle.append(sensitivity)
            else:
                best, found = verdict, True
                back.append(sensitivity)
                tell(f"{_names(back)} in floating point: {verdict.sentence}; {share:.0%} in INT8")
            if best.holds:
                break
        waiting = idle
    if not best.holds:
        tried = f"with {_names(back)} in floating point" if back else "and no group of layers that may go back helps"
        raise GuardError(
            f"INT8 does not hold the guard, {tried}; {INT8_SHARE:.0%} of the multiplications have to be INT8.",
            "Calibrate on more or other images, allow a larger --max-drop or --max-class-drop, or keep fp32 or fp16.",
        )
    return _without_idle(choice, back, best, attempt, tell)


def _without_idle(
    choice: QuantizationChoice, back: Sequence[Sensitivity], best: Verdict, attempt: Try, tell: Callable[[str], None]
) -> tuple[QuantizationChoice, Verdict]:
    """The choice without those groups in floating point that the guard does not need beside the others."""
    kept = list(back)
    for sensitivity in back[:-1]:  # without the last one it did not hold
        fewer = [one for one in kept if one is not sensitivity]
        verdict, _ = attempt(_with(choice, fewer))
        if verdict.holds:
            kept, best = fewer, verdict
            tell(f"{sensitivity.group} need not be in floating point: {verdict.sentence}")
    return _with(choice, kept), best


def _with(choice: QuantizationChoice, groups: Sequence[Sensitivity]) -> QuantizationChoice:
    layers = [layer for group in groups for layer in group.layers if layer not in choice.excluded_layers]
    return QuantizationChoice(method=choice.method, excluded_layers=(*choice.excluded_layers, *layers))


def _names(groups: Sequence[Sensitivity]) -> str:
    return ", ".join(group.group for group in groups)
