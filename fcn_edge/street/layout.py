"""What stands where: the street is laid out in blocks, each from its own random numbers."""

from collections import OrderedDict

import numpy as np

from fcn_edge.street.plots import THEMES, plot_things
from fcn_edge.street.roadside import roadside_things
from fcn_edge.street.shapes import Thing
from fcn_edge.street.site import BLOCK, Site
from fcn_edge.street.town import Town

_KEPT_BLOCKS = 24
_BLOCKS_OF_A_THEME = 3


class Layout:
    """Everything that stands still, block by block."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._blocks: OrderedDict[int, list[Thing]] = OrderedDict()
        self._themes: dict[tuple[int, int], str] = {}
        self._junctions: dict[tuple[int, int], tuple[float, float] | None] = {}

    def between(self, start: float, end: float) -> list[Thing]:
        """Things of all blocks that touch the stretch from `start` to `end` meters."""
        things: list[Thing] = []
        for block in range(int(start // BLOCK), int(end // BLOCK) + 1):
            things.extend(self._block(block))
        return things

    def theme(self, block: int, side: int) -> str:
        """What a side of a block is like; it lasts for a few blocks."""
        group = (block + (side > 0)) // _BLOCKS_OF_A_THEME
        if (group, side) not in self._themes:
            choice = self._rng(11, group, side).choice(len(THEMES), p=self._town.themes)
            self._themes[group, side] = THEMES[int(choice)]
        return self._themes[group, side]

    def junction(self, block: int, side: int) -> tuple[float, float] | None:
        """The stretch, in meters along the street, where a side street joins a block."""
        if (block, side) not in self._junctions:
            rng = self._rng(14, block, side)
            chance, start, width = rng.random(), rng.uniform(6, 20), rng.uniform(5.5, 8.0)
            place = (block * BLOCK + float(start), block * BLOCK + float(start + width))
            self._junctions[block, side] = place if chance < self._town.junctions else None
        return self._junctions[block, side]

    def _rng(self, use: int, block: int, side: int) -> np.random.Generator:
        # Seeds cannot be negative, blocks before the first one are.
        return np.random.default_rng([self._town.seed, use, block & 0xFFFFFFFF, side + 1])

    def _block(self, block: int) -> list[Thing]:
        if block in self._blocks:
            self._blocks.move_to_end(block)
            return self._blocks[block]
        things: list[Thing] = []
        for side in (-1, 1):
            gap = self.junction(block, side)
            site = Site(self._town, self._rng(12, block, side), block * BLOCK, side, gap)
            built = plot_things(site, self.theme(block, side)) + roadside_things(site)
            things += [thing for thing in built if not _blocks_way(thing, gap)]
        self._blocks[block] = things
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return things


def _blocks_way(thing: Thing, gap: tuple[float, float] | None) -> bool:
    """Whether a thing would stand in the mouth of a side street."""
    if gap is None:
        return False
    # A house may reach a little into it, nothing else may.
    slack = 1.0 if thing.shadow == "box" else -0.3
    return thing.span[0] < gap[1] - slack and thing.span[1] > gap[0] + slack
