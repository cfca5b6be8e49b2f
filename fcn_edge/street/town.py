"""The look and the habits of one street: its measures and its pictures."""

from functools import cached_property

import numpy as np

from fcn_edge.street.facades import Facade, facade
from fcn_edge.street.texture import Texture
from fcn_edge.street.textures import boards, foliage, hedge, railing

_PARKED = 1.95
"""Meters of the road that a row of parked cars takes."""


class Town:
    """What is the same all along one street.

    Attributes:
        seed: The street's seed, from which its parts take their random numbers.
        half_road: Meters from the center line to either curb.
        pavement: Meters from the curb to the end of the pavement.
        parking: Share of the places along the left and the right curb where a car is parked.
        themes: Chance of each kind of surroundings.
        lamp_high: Height of lamp posts in meters.
        lamp_gap: Meters from one lamp post to the next.
        green: How many trees there are, about 0.3 to 1.
        clutter: How many signs and boards there are, about 0.4 to 1.2.
        signals: Chance of a traffic light on a side of a block.
        junctions: Chance of a side street on a side of a block.
        rails: Picture of its railings.
    """

    def __init__(self, seed: int, rng: np.random.Generator) -> None:
        self.seed = seed
        self.parking = (float(rng.choice([0.0, 0.3, 0.65])), float(rng.choice([0.0, 0.3, 0.65])))
        self.half_road = float(rng.uniform(2.8, 3.9)) + (1.0 if any(self.parking) else 0.0)
        self.pavement = float(rng.uniform(1.9, 3.4))
        self.themes = rng.dirichlet([1.1, 1.1, 1.2, 0.9, 0.9])
        self.lamp_high = float(rng.choice([4.2, 6.5, 8.0, 9.5]))
        self.lamp_gap = float(rng.uniform(20, 34))
        self.green = float(rng.uniform(0.35, 1.1))
        self.clutter = float(rng.uniform(0.4, 1.2))
        self.junctions = float(rng.uniform(0.05, 0.25))
        self.signals = float(rng.uniform(0.1, 0.5))
        self.rails = railing((50, 54, 50) if rng.random() < 0.6 else (150, 156, 156))
        self._bare = float(rng.choice([0.0, 0.15, 0.6, 1.0], p=[0.25, 0.15, 0.2, 0.4]))
        self._green_tone = rng.uniform((35, 75, 58), (75, 105, 100))
        self._fronts: dict[int, Facade] = {}
        self._crowns: dict[int, Texture] = {}

    def lane(self, side: int) -> float:
        """Meters right of the center line of the middle of the left (-1) or right (1) lane."""
        return side * self.free(side) / 2

    def free(self, side: int) -> float:
        """Meters from the center line to the curb, or to the cars that are parked there."""
        return self.half_road - (_PARKED if self.parking[0 if side < 0 else 1] else 0.0)

    def front(self, rng: np.random.Generator) -> Facade:
        """A house front, chosen from the few of this street."""
        choice = int(rng.integers(8))
        if choice not in self._fronts:
            own = np.random.default_rng([self.seed, 21, choice])
            stories = int(own.choice([2, 3, 4], p=[0.35, 0.45, 0.2]))
            shop = bool(own.random() < 0.4)
            self._fronts[choice] = facade(own, float(own.uniform(6, 13)), stories, shop)
        return self._fronts[choice]

    def crown(self, rng: np.random.Generator) -> Texture:
        """The crown of a tree, chosen from the few of this street."""
        choice = int(rng.integers(4))
        if choice not in self._crowns:
            own = np.random.default_rng([self.seed, 22, choice])
            bare = float(np.clip(self._bare + own.choice([0.0, 0.0, -0.5]), 0, 1))
            leaf = self._green_tone * own.uniform(0.8, 1.2) * own.uniform(0.9, 1.1, 3)
            blue, green, red = np.clip(leaf, 10, 200).tolist()
            self._crowns[choice] = foliage(own, (blue, green, red), bare)
        return self._crowns[choice]

    @cached_property
    def boards(self) -> Texture:
        """Garden fences of this street."""
        return boards(np.random.default_rng([self.seed, 23]), (70, 100, 130))

    @cached_property
    def hedge(self) -> Texture:
        """Hedges of this street."""
        blue, green, red = (self._green_tone * 0.8).tolist()
        return hedge(np.random.default_rng([self.seed, 24]), (blue, green, red))
