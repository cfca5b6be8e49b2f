"""What stands beyond the pavement: houses and their gardens, parks, large buildings."""

from fcn_edge.street import furniture
from fcn_edge.street.buildings import house
from fcn_edge.street.kinds import BUILDING, TREE, Color
from fcn_edge.street.shapes import Thing
from fcn_edge.street.site import BLOCK, Site

THEMES = ("shops", "terrace", "houses", "park", "campus")
PAVED = ("shops", "terrace")
"""Themes whose ground is paved up to the houses."""

_BRICK: Color = (70.0, 92.0, 140.0)
_FENCES = 6
"""Pieces of fence along a block."""


def plot_things(site: Site, theme: str) -> list[Thing]:
    """Everything beyond the pavement of a site."""
    if theme == "shops":
        return _shops(site)
    if theme == "terrace":
        return _terrace(site)
    if theme == "houses":
        return _houses(site)
    if theme == "park":
        return _park(site)
    return _campus(site)


def _shops(site: Site) -> list[Thing]:
    line = site.edge + 0.1
    signs = range(int(site.rng.poisson(2.0 * site.town.clutter)))
    return [
        *_row(site, line),
        *[furniture.shop_sign(site.rng, site.spot(), site.side * line) for _ in signs],
    ]


def _terrace(site: Site) -> list[Thing]:
    rng, line, step = site.rng, site.edge + 0.15, BLOCK / _FENCES
    walls = [
        furniture.wall(site.start + i * step, line * site.side, step * 0.8, 0.7, _BRICK, BUILDING)
        for i in range(_FENCES)
        if rng.random() < 0.7
    ]
    return [*_row(site, site.edge + 1.6), *walls]


def _houses(site: Site) -> list[Thing]:
    rng = site.rng
    things = _garden_fence(site)
    at = site.start + float(rng.uniform(0, 3))
    while at + 8 < site.end:
        width, line = float(rng.uniform(7, 10)), site.edge + float(rng.uniform(4, 6))
        front, scale = site.town.front(rng), float(rng.uniform(0.9, 1.05))
        things.append(house(rng, front, at, width, site.side, line, 8.0, scale, gable=True))
        at += width + float(rng.uniform(1.5, 5))
    things += site.trees(3.0, (site.edge + 1.2, site.edge + 3.5), (3.5, 8.5))
    # Trees behind the houses are seen between them.
    return things + site.trees(1.6, (site.edge + 14, site.edge + 22), (9, 15))


def _park(site: Site) -> list[Thing]:
    things = _railings(site)
    things += site.trees(9.0, (site.edge + 2, site.edge + 16), (7, 14))
    if site.rng.random() < 0.5:
        things += _row(site, site.edge + 22)
    return things


def _campus(site: Site) -> list[Thing]:
    rng = site.rng
    things = _railings(site) if rng.random() < 0.6 else _garden_fence(site)
    width = float(rng.uniform(20, 30))
    at, line = site.start + float(rng.uniform(0, BLOCK - width)), site.edge + float(rng.uniform(5, 12))
    front, scale = site.town.front(rng), float(rng.uniform(1.0, 1.5))
    things.append(house(rng, front, at, width, site.side, line, 12.0, scale, gable=True))
    return things + site.trees(3.5, (site.edge + 1.5, site.edge + 5), (5, 12))


def _row(site: Site, line: float) -> list[Thing]:
    """Houses wall to wall, open only where a side street joins."""
    rng, gap = site.rng, site.gap
    pieces = [(site.start, site.end)]
    if gap is not None:
        pieces = [(site.start, gap[0]), (gap[1], site.end)]
    things = []
    for first, last in pieces:
        at = first
        while at < last - 0.5:
            front = site.town.front(rng)
            width = min(front.width * float(rng.uniform(0.9, 1.1)), last - at)
            if last - at - width < 5:
                width = last - at
            scale = float(rng.uniform(0.92, 1.08))
            corner = gap is not None and at == gap[1]
            things.append(house(rng, front, at, width, site.side, line, 9.0, scale, gable=corner))
            at += width
    return things


def _railings(site: Site) -> list[Thing]:
    step, lateral = BLOCK / _FENCES, (site.edge + 0.15) * site.side
    rails = site.town.rails
    return [furniture.fence(rails, site.start + i * step, lateral, step, 1.35) for i in range(_FENCES)]


def _garden_fence(site: Site) -> list[Thing]:
    """Boards, a hedge, railings or a wall, with a gate left open here and there."""
    town, step, lateral = site.town, BLOCK / _FENCES, (site.edge + 0.15) * site.side
    style = int(site.rng.integers(4))
    places = [site.start + i * step for i in range(_FENCES) if site.rng.random() < 0.85]
    if style == 0:
        return [furniture.fence(town.boards, at, lateral, step, 1.5) for at in places]
    if style == 1:
        return [furniture.fence(town.hedge, at, lateral, step, 1.4, TREE) for at in places]
    if style == 2:
        return [furniture.fence(town.rails, at, lateral, step, 1.1) for at in places]
    return [furniture.wall(at, lateral, step, 0.9, _BRICK, BUILDING) for at in places]
