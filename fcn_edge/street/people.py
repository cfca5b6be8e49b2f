"""Walkers and cyclists, as bars between joints."""

from itertools import pairwise

import numpy as np

from fcn_edge.street.kinds import BICYCLIST, PEDESTRIAN, Color
from fcn_edge.street.shapes import Rods, RodsBuilder, Thing

_CLOTHES: tuple[Color, ...] = (
    (40, 36, 34),
    (64, 46, 36),
    (34, 32, 36),
    (70, 72, 76),
    (46, 52, 62),
    (24, 24, 26),
    (90, 60, 40),
    (40, 40, 110),
    (60, 80, 50),
    (150, 150, 150),
    (80, 100, 120),
    (40, 140, 190),
)
_SKINS: tuple[Color, ...] = ((140, 168, 214), (110, 140, 190), (70, 92, 130))
_HAIR: tuple[Color, ...] = ((26, 30, 38), (40, 60, 90), (90, 130, 160), (120, 122, 124))


def _choose(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    return colors[int(rng.integers(len(colors)))]


def walker(rng: np.random.Generator, stride: float) -> Rods:
    """A person on foot; `stride` is the phase of the step in radians."""
    rods = RodsBuilder(PEDESTRIAN, sort=True)
    tall = rng.uniform(1.55, 1.85)
    k = tall / 1.75
    coat, legs = _choose(rng, _CLOTHES), _choose(rng, _CLOTHES[:5])
    skin, hair = _choose(rng, _SKINS), _choose(rng, _HAIR)
    hip, shoulder = 0.88 * k, 1.42 * k
    for way in (-1.0, 1.0):
        swing = 0.42 * np.sin(stride) * way
        x = 0.09 * way
        knee = (x, 0.46 * k, 0.5 * swing + 0.05)
        foot = (x, 0.05, swing - 0.1 * max(-swing, 0.0))
        rods.rod((x, hip, 0), knee, 0.095 * k, legs, 0.075 * k)
        rods.rod(knee, foot, 0.075 * k, legs, 0.055 * k)
        rods.rod(foot, (x, 0.04, foot[2] + 0.16), 0.05, (30, 30, 34))
        hand = (0.27 * way, 0.84 * k, -0.7 * swing)
        rods.rod((0.2 * way, shoulder - 0.04, 0), (0.26 * way, 1.12 * k, -0.3 * swing), 0.06 * k, coat)
        rods.rod((0.26 * way, 1.12 * k, -0.3 * swing), hand, 0.052 * k, coat)
        rods.rod(hand, (hand[0], hand[1] - 0.06, hand[2]), 0.045, skin)
    rods.rod((0, hip, 0), (0, shoulder - 0.06, 0), 0.165 * k, coat, 0.19 * k)
    if rng.random() < 0.35:
        bag = _choose(rng, _CLOTHES)
        rods.rod((0, 1.05 * k, -0.2), (0, 1.3 * k, -0.2), 0.13, bag)
    rods.rod((0, shoulder, 0), (0, shoulder + 0.14, 0.01), 0.06, skin)
    rods.rod((0, tall - 0.2, 0.02), (0, tall - 0.13, 0.02), 0.095, skin)
    rods.rod((0, tall - 0.13, -0.02), (0, tall - 0.1, -0.02), 0.1, hair)
    return rods.build()


def cyclist(rng: np.random.Generator, pedal: float) -> Rods:
    """A person on a bicycle; `pedal` is the phase of the cranks in radians."""
    rods = RodsBuilder(BICYCLIST, sort=True)
    coat, legs = _choose(rng, _CLOTHES), _choose(rng, _CLOTHES[:5])
    skin, frame = _choose(rng, _SKINS), _choose(rng, _CLOTHES)
    helmet = _choose(rng, (*_HAIR, (230, 230, 230), (40, 40, 200)))
    black: Color = (26.0, 26.0, 26.0)
    turn = np.arange(11) * 2 * np.pi / 10
    for z in (-0.52, 0.52):
        ring = [(0.0, float(0.34 + 0.32 * np.sin(a)), float(z + 0.32 * np.cos(a))) for a in turn]
        for a, b in pairwise(ring):
            rods.rod(a, b, 0.028, black)
    seat, crank, head = (0.0, 0.92, -0.22), (0.0, 0.3, 0.0), (0.0, 0.88, 0.4)
    for a, b in (
        (seat, crank),
        (crank, head),
        (seat, head),
        (crank, (0, 0.34, -0.52)),
        (head, (0, 0.34, 0.52)),
    ):
        rods.rod(a, b, 0.028, frame)
    rods.rod((-0.27, 1.02, 0.42), (0.27, 1.02, 0.42), 0.025, black)
    rods.rod((0, 0.93, -0.3), (0, 0.95, -0.1), 0.07, black)
    for way in (-1.0, 1.0):
        phase = pedal + (np.pi if way > 0 else 0.0)
        x = 0.11 * way
        foot = (x, 0.3 + 0.17 * np.sin(phase), 0.17 * np.cos(phase) + 0.05)
        knee = (x * 1.2, 0.72 + 0.1 * np.sin(phase), 0.24)
        rods.rod((x, 0.98, -0.2), knee, 0.09, legs, 0.075)
        rods.rod(knee, foot, 0.072, legs, 0.05)
        rods.rod(foot, (x, foot[1] - 0.02, foot[2] + 0.13), 0.045, black)
        hand = (0.25 * way, 1.05, 0.4)
        rods.rod((0.2 * way, 1.46, 0.1), (0.28 * way, 1.22, 0.22), 0.058, coat)
        rods.rod((0.28 * way, 1.22, 0.22), hand, 0.05, coat)
        rods.rod(hand, (hand[0], hand[1], hand[2] + 0.05), 0.045, skin)
    rods.rod((0, 1.02, -0.2), (0, 1.44, 0.08), 0.16, coat, 0.18)
    rods.rod((0, 1.48, 0.12), (0, 1.56, 0.15), 0.06, skin)
    rods.rod((0, 1.62, 0.18), (0, 1.68, 0.18), 0.095, skin)
    rods.rod((0, 1.7, 0.15), (0, 1.73, 0.15), 0.105, helmet)
    return rods.build()


def stand(shape: Rods, along: float, lateral: float, yaw: float, half_length: float, reach: float) -> Thing:
    """Put a person somewhere on the street."""
    return Thing(
        along,
        lateral,
        yaw,
        (along - half_length, along + half_length),
        (lateral - 0.25, lateral + 0.25),
        (shape,),
        reach=reach,
        tall=1.75,
        shadow="person",
    )
