"""What stands where: the street is laid out in blocks, each from its own random numbers."""

from collections import OrderedDict

import numpy as np

from fcn_edge.street import furniture, vehicles
from fcn_edge.street.buildings import house
from fcn_edge.street.facades import Facade, facade
from fcn_edge.street.kinds import BUILDING, TREE, Colour
from fcn_edge.street.shapes import Texture, Thing
from fcn_edge.street.textures import boards, foliage, hedge, railing
from fcn_edge.street.vegetation import tree

BLOCK = 36.0
_KEPT_BLOCKS = 24
_THEMES = ("shops", "terrace", "houses", "park", "campus")


class Town:
    """The look of one street: its measures, its pictures and its habits."""

    def __init__(self, seed: int, rng: np.random.Generator) -> None:
        self.seed = seed
        self.half_road = float(rng.uniform(3.0, 4.7))
        self.pavement = float(rng.uniform(1.7, 3.2))
        self.kerb = float(rng.uniform(0.08, 0.14))
        self.parking = (float(rng.choice([0.0, 0.35, 0.7])), float(rng.choice([0.0, 0.35, 0.7])))
        self.themes = rng.dirichlet([1.1, 1.1, 1.2, 0.9, 0.9])
        self.lamp_high = float(rng.choice([4.2, 6.5, 8.0, 9.5]))
        self.lamp_gap = float(rng.uniform(20, 34))
        self.green = float(rng.uniform(0.3, 1.0))
        self.clutter = float(rng.uniform(0.4, 1.2))
        self.junctions = float(rng.uniform(0.05, 0.25))
        self.signals = float(rng.uniform(0.1, 0.5))
        self.fronts: list[Facade] = []
        for _ in range(9):
            storeys = int(rng.choice([2, 3, 4], p=[0.45, 0.4, 0.15]))
            shop = bool(rng.random() < 0.4)
            self.fronts.append(facade(rng, float(rng.uniform(6, 13)), storeys, shop))
        bare = float(rng.choice([0.0, 0.15, 0.6, 1.0], p=[0.25, 0.15, 0.2, 0.4]))
        green: Colour = (
            float(rng.uniform(35, 75)),
            float(rng.uniform(75, 105)),
            float(rng.uniform(58, 100)),
        )
        self.crowns: list[Texture] = []
        for _ in range(4):
            own = np.clip(np.multiply(green, rng.uniform(0.75, 1.25, 3)), 10, 200)
            leaf = (float(own[0]), float(own[1]), float(own[2]))
            mixed = float(np.clip(bare + rng.choice([0.0, 0.0, -0.5]), 0, 1))
            self.crowns.append(foliage(rng, leaf, mixed))
        self.rails = railing(rng, (50, 54, 50) if rng.random() < 0.6 else (150, 156, 156))
        self.boards = boards(rng, (70, 100, 130))
        self.hedge = hedge(rng, (green[0] * 0.8, green[1] * 0.8, green[2] * 0.8))


class Layout:
    """Everything that stands still, block by block."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._blocks: OrderedDict[int, list[Thing]] = OrderedDict()
        self._themes: dict[tuple[int, int], str] = {}
        self._junctions: dict[tuple[int, int], tuple[float, float] | None] = {}

    def between(self, start: float, end: float) -> list[Thing]:
        """Things of all blocks that touch the stretch from `start` to `end` metres."""
        things: list[Thing] = []
        for block in range(int(np.floor(start / BLOCK)), int(np.floor(end / BLOCK)) + 1):
            things.extend(self._block(block))
        return things

    def theme(self, block: int, side: int) -> str:
        """What a side of a block is like; it lasts for a few blocks."""
        group = (block + (side > 0)) // 3
        if (group, side) not in self._themes:
            rng = np.random.default_rng([self._town.seed, 11, group & 0xFFFFFFFF, side + 1])
            theme = _THEMES[int(rng.choice(len(_THEMES), p=self._town.themes))]
            self._themes[group, side] = theme
        return self._themes[group, side]

    def _block(self, block: int) -> list[Thing]:
        if block in self._blocks:
            self._blocks.move_to_end(block)
            return self._blocks[block]
        things: list[Thing] = []
        for side in (-1, 1):
            rng = np.random.default_rng([self._town.seed, 12, block & 0xFFFFFFFF, side + 1])
            things += self._plots(rng, block, side)
            things += self._roadside(rng, block, side)
        things = [t for t in things if not self._in_junction(t, block)]
        self._blocks[block] = things
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return things

    def junction(self, block: int, side: int) -> tuple[float, float] | None:
        """The stretch, in metres along the street, where a side street joins a block."""
        if (block, side) not in self._junctions:
            rng = np.random.default_rng([self._town.seed, 14, block & 0xFFFFFFFF, side + 1])
            chance, start, width = rng.random(), rng.uniform(6, 20), rng.uniform(5.5, 8.0)
            place = (block * BLOCK + float(start), block * BLOCK + float(start + width))
            self._junctions[block, side] = place if chance < self._town.junctions else None
        return self._junctions[block, side]

    def _in_junction(self, thing: Thing, block: int) -> bool:
        place = self.junction(block, 1 if thing.lateral > 0 else -1)
        if place is None or abs(thing.lateral) < self._town.half_road - 1.5:
            return False
        # A house may reach a little into the mouth of the side street, nothing else may.
        slack = 1.0 if thing.shadow == "box" else -0.3
        return thing.span[0] < place[1] - slack and thing.span[1] > place[0] + slack

    def _plots(self, rng: np.random.Generator, block: int, side: int) -> list[Thing]:
        town, theme, start = self._town, self.theme(block, side), block * BLOCK
        edge = town.half_road + town.pavement
        if theme in ("shops", "terrace"):
            shops = theme == "shops"
            setback = 0.1 if shops else 1.6
            things = self._row(rng, block, side, edge + setback)
            things += self._trees(rng, start, side, (edge + 13, edge + 20), int(rng.poisson(1.2 * town.green)), (9, 15))
            if shops:
                for at in rng.uniform(start, start + BLOCK, int(rng.poisson(2.0 * town.clutter))).tolist():
                    things.append(furniture.shop_sign(rng, at, side * (edge + setback)))
            if not shops:
                things += self._border(rng, start, side, edge + 0.15, "low")
            return things
        if theme == "houses":
            things = []
            at = start + rng.uniform(0, 3)
            while at + 8 < start + BLOCK:
                width = rng.uniform(7, 10)
                front = self._front(rng)
                line = edge + rng.uniform(4, 6)
                scale = rng.uniform(0.9, 1.05)
                things.append(house(rng, front, at, width, side, line, 8.0, scale, gable=True))
                at += width + rng.uniform(1.5, 5)
            things += self._border(rng, start, side, edge + 0.15, "garden")
            things += self._trees(rng, start, side, (edge + 1.2, edge + 3.5), int(rng.poisson(3.0 * town.green)), (3.5, 8.5))
            things += self._trees(rng, start, side, (edge + 14, edge + 22), int(rng.poisson(2.0 * town.green)), (9, 15))
            return things
        if theme == "park":
            things = self._border(rng, start, side, edge + 0.15, "rail")
            things += self._trees(rng, start, side, (edge + 2, edge + 16), int(rng.integers(5, 10)), (7, 14))
            if rng.random() < 0.5:
                things += self._row(rng, block, side, edge + 22)
            return things
        things = self._border(rng, start, side, edge + 0.15, "rail" if rng.random() < 0.6 else "garden")
        width = rng.uniform(20, 30)
        at = start + rng.uniform(0, BLOCK - width)
        front = self._front(rng)
        line, scale = edge + rng.uniform(5, 12), rng.uniform(1.0, 1.5)
        things.append(house(rng, front, at, width, side, line, 12.0, scale, gable=True))
        things += self._trees(rng, start, side, (edge + 1.5, edge + 5), int(rng.poisson(3.5 * town.green)), (5, 12))
        return things

    def _front(self, rng: np.random.Generator) -> Facade:
        return self._town.fronts[int(rng.integers(len(self._town.fronts)))]

    def _row(self, rng: np.random.Generator, block: int, side: int, line: float) -> list[Thing]:
        """Houses wall to wall, open only where a side street joins."""
        start, end = block * BLOCK, (block + 1) * BLOCK
        gap = self.junction(block, side)
        pieces = [(start, end)] if gap is None else [(start, gap[0]), (gap[1], end)]
        things = []
        for first, last in pieces:
            at = first
            while at < last - 0.5:
                front = self._front(rng)
                width = min(front.width * rng.uniform(0.9, 1.1), last - at)
                if last - at - width < 5:
                    width = last - at
                scale = rng.uniform(0.92, 1.08)
                corner = gap is not None and at == gap[1]
                things.append(house(rng, front, at, width, side, line, 9.0, scale, gable=corner))
                at += width
        return things

    def _border(
        self, rng: np.random.Generator, start: float, side: int, line: float, kind: str
    ) -> list[Thing]:
        town, things, step = self._town, [], BLOCK / 6
        brick: Colour = (70.0, 92.0, 140.0)
        style = int(rng.integers(4))
        for i in range(6):
            at = start + i * step
            if kind == "rail":
                things.append(furniture.fence(town.rails, at, line * side, step, 1.35))
            elif kind == "low":
                if rng.random() < 0.7:
                    things.append(furniture.wall(at, line * side, step * 0.8, 0.7, brick, BUILDING))
            elif rng.random() < 0.85:
                if style == 0:
                    things.append(furniture.fence(town.boards, at, line * side, step, 1.5))
                elif style == 1:
                    things.append(furniture.fence(town.hedge, at, line * side, step, 1.4, TREE))
                elif style == 2:
                    things.append(furniture.fence(town.rails, at, line * side, step, 1.1))
                else:
                    things.append(furniture.wall(at, line * side, step, 0.9, brick, BUILDING))
        return things

    def _trees(
        self,
        rng: np.random.Generator,
        start: float,
        side: int,
        band: tuple[float, float],
        count: int,
        high: tuple[float, float],
    ) -> list[Thing]:
        things = []
        for _ in range(count):
            crown = self._town.crowns[int(rng.integers(len(self._town.crowns)))]
            at, aside = start + rng.uniform(0, BLOCK), rng.uniform(*band) * side
            things.append(tree(rng, crown, at, aside, rng.uniform(*high)))
        return things

    def _roadside(self, rng: np.random.Generator, block: int, side: int) -> list[Thing]:
        town, start = self._town, block * BLOCK
        kerb = town.half_road + 0.45
        things: list[Thing] = []
        lamps = np.arange(np.ceil(start / town.lamp_gap), np.ceil((start + BLOCK) / town.lamp_gap))
        for lamp in lamps.tolist():
            if int(lamp) % 2 == (side > 0) or town.lamp_high < 6:
                things.append(furniture.lamp_post(rng, lamp * town.lamp_gap, side * kerb, town.lamp_high))
        for _ in range(int(rng.poisson(1.1 * town.clutter))):
            things.append(furniture.sign(rng, start + rng.uniform(0, BLOCK), side * (kerb + rng.uniform(-0.1, 0.3))))
        if rng.random() < 0.35 * town.clutter:
            outer = town.half_road + town.pavement - 0.6
            things.append(furniture.advert(rng, start + rng.uniform(0, BLOCK), side * outer))
        if rng.random() < 0.4 * town.clutter:
            things.append(furniture.post(start + rng.uniform(0, BLOCK), side * (kerb + 0.2), float(rng.choice([1.0, 7.5]))))
        if rng.random() < town.signals:
            at = start + rng.uniform(4, BLOCK)
            things.append(furniture.traffic_light(rng, at, side * kerb))
            if rng.random() < 0.6:
                for i in range(3):
                    things.append(furniture.fence(town.rails, at + 1 + 4 * i, side * (kerb - 0.15), 4.0, 1.05))
        if town.pavement > 2.4 and rng.random() < 0.55 * town.green:
            things += self._trees(rng, start, side, (kerb + 0.3, kerb + 0.6), 2, (5.5, 9))
        things += self._parked(rng, start, side)
        return things

    def _parked(self, rng: np.random.Generator, start: float, side: int) -> list[Thing]:
        town, things = self._town, []
        chance = town.parking[0 if side < 0 else 1] * (0.45 if side < 0 else 1.0)
        at = start + 3.0
        while at < start + BLOCK - 3:
            if rng.random() < chance:
                kind, paint = vehicles.pick(rng)
                if kind != "bus":
                    lateral = side * (town.half_road - 0.95 + rng.normal(0, 0.06))
                    things.append(vehicles.vehicle(kind, paint, at, lateral, side > 0))
            at += 6.2
        return things
