"""How an INT8 plan clips its activations and which layers it leaves in floating point, decided by measuring.

The method with the best mIoU on the images to choose on is taken. Where even that loses too much, the groups of layers
whose quantisation costs most go back to floating point, one after the other, until the guard on the same images holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fcn_edge.build.typed import INT8_SHARE
from fcn_edge.calibrationtable import METHODS, Choice
from fcn_edge.errors import GuardError
from fcn_edge.measure.guard import Verdict

__all__ = ["Sensitivity", "best_method", "group_of", "groups_of", "mixed", "sensitivities"]

Try = Callable[[Choice], tuple[Verdict, float]]
"""Builds a plan by a choice; gives what the guard says of it, and its INT8 share."""


@dataclass(frozen=True)
class Sensitivity:
    """What quantising one group of layers alone costs.

    Attributes:
        group: Name of the group.
        layers: Its convolutions.
        drop: mIoU lost against fp32, as a fraction of 1.
    """

    group: str
    layers: tuple[str, ...]
    drop: float


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


def best_method(attempt: Try, tell: Callable[[str], None]) -> tuple[Choice, Verdict]:
    """The method whose plan loses least mIoU.

    Args:
        attempt: Builds and judges.
        tell: Called with a line a method.
    """
    found: list[tuple[Verdict, Choice]] = []
    for method in METHODS:
        choice = Choice(method=method)
        verdict, _ = attempt(choice)
        tell(f"{method}: {verdict.sentence}")
        found.append((verdict, choice))
    verdict, choice = min(found, key=lambda one: (one[0].drop, one[0].worst_drop))
    return choice, verdict


def sensitivities(
    layers: Sequence[str], choice: Choice, attempt: Try, tell: Callable[[str], None]
) -> tuple[Sensitivity, ...]:
    """What each group of layers costs when it alone is quantised, the costliest first.

    Args:
        layers: All that may be quantised.
        choice: How to clip.
        attempt: Builds and judges.
        tell: Called with a line a group.
    """
    found = []
    for group, members in groups_of(layers).items():
        others = tuple(layer for layer in layers if layer not in members)
        verdict, _ = attempt(Choice(method=choice.method, floats=others))
        found.append(Sensitivity(group, members, verdict.drop))
        tell(f"{group} alone: {100 * -verdict.drop:+.2f} points")
    return tuple(sorted(found, key=lambda one: -one.drop))


def mixed(
    choice: Choice, ranking: Sequence[Sensitivity], attempt: Try, tell: Callable[[str], None]
) -> tuple[Choice, Verdict]:
    """The choice with as few groups in floating point as the guard needs, the costliest first.

    A group that is too large to go back, because too little would be INT8 then, is passed over.

    Args:
        choice: Where to start.
        ranking: The groups, the costliest first.
        attempt: Builds and judges.
        tell: Called with a line a step.

    Raises:
        GuardError: It does not hold with all those groups in floating point that may be.
    """
    floats = choice.floats
    back: list[str] = []
    for sensitivity in ranking:
        with_group = (*floats, *(layer for layer in sensitivity.layers if layer not in floats))
        trial = Choice(method=choice.method, floats=with_group)
        verdict, share = attempt(trial)
        if share < INT8_SHARE:
            tell(f"{sensitivity.group} cannot be in floating point: only {share:.0%} would be INT8")
            continue
        floats = with_group
        back.append(sensitivity.group)
        tell(f"{', '.join(back)} in floating point: {verdict.sentence}; {share:.0%} in INT8")
        if verdict.holds:
            return trial, verdict
    tried = f"with {', '.join(back)} in floating point" if back else "and no group of layers is small enough to leave"
    raise GuardError(
        f"INT8 does not hold the guard, {tried}; {INT8_SHARE:.0%} of the multiplications have to be INT8.",
        "Calibrate on more or other images, allow a larger --max-drop or --max-class-drop, or keep fp32 or fp16.",
    )
