"""One side of one block, ready to be built on."""

from dataclasses import dataclass

import numpy as np

from fcn_edge.street.shapes import Thing
from fcn_edge.street.town import Town
from fcn_edge.street.vegetation import tree

BLOCK = 36.0
"""Length of a block in meters."""


@dataclass(frozen=True)
class Site:
    """A side of a block.

    Attributes:
        town: The street it belongs to.
        rng: Its own random numbers.
        start: Meters along the street at which it begins.
        side: -1 on the left of the street, 1 on the right.
        gap: Meters along the street between which a side street joins, if one does.
    """

    town: Town
    rng: np.random.Generator
    start: float
    side: int
    gap: tuple[float, float] | None

    @property
    def end(self) -> float:
        """Meters along the street at which it ends."""
        return self.start + BLOCK

    @property
    def edge(self) -> float:
        """Meters from the center line to the far side of the pavement."""
        return self.town.half_road + self.town.pavement

    @property
    def curb(self) -> float:
        """Meters from the center line to where posts stand along the curb."""
        return self.town.half_road + 0.45

    def spot(self) -> float:
        """A random place along the street."""
        return float(self.rng.uniform(self.start, self.end))

    def trees(self, mean: float, band: tuple[float, float], high: tuple[float, float]) -> list[Thing]:
        """About `mean` trees at distances from the center line and of heights in meters."""
        rng, things = self.rng, []
        for _ in range(int(rng.poisson(mean * self.town.green))):
            crown, along = self.town.crown(rng), self.spot()
            lateral = float(rng.uniform(*band)) * self.side
            things.append(tree(rng, crown, along, lateral, float(rng.uniform(*high))))
        return things
