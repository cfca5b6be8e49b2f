"""What stands along the curb: lamp posts, signs, lights, street trees, parked cars."""

import numpy as np

from fcn_edge.street import furniture, vehicles
from fcn_edge.street.shapes import Thing
from fcn_edge.street.site import Site

_PLACE = 6.2
"""Meters of curb that a parked car takes."""


def roadside_things(site: Site) -> list[Thing]:
    """Everything on the pavement and along the curb of a site."""
    return [*_lamps(site), *_signs(site), *_signals(site), *_street_trees(site), *_parked(site)]


def _lamps(site: Site) -> list[Thing]:
    town, lateral = site.town, site.side * site.curb
    first, last = np.ceil(site.start / town.lamp_gap), np.ceil(site.end / town.lamp_gap)
    # Tall lamps stand on either side by turns, low ones on both.
    return [
        furniture.lamp_post(lamp * town.lamp_gap, lateral, town.lamp_high)
        for lamp in range(int(first), int(last))
        if town.lamp_high < 6 or lamp % 2 == (site.side > 0)
    ]


def _signs(site: Site) -> list[Thing]:
    rng, town, side = site.rng, site.town, site.side
    things = []
    for _ in range(int(rng.poisson(1.5 * town.clutter))):
        lateral = side * (site.curb + float(rng.uniform(-0.1, 0.3)))
        things.append(furniture.sign(rng, site.spot(), lateral))
    if rng.random() < 0.45 * town.clutter:
        things.append(furniture.advert(rng, site.spot(), side * (site.edge - 0.6)))
    if rng.random() < 0.4 * town.clutter:
        high = float(rng.choice([1.0, 7.5]))
        things.append(furniture.post(site.spot(), side * (site.curb + 0.2), high))
    return things


def _signals(site: Site) -> list[Thing]:
    rng, town = site.rng, site.town
    if rng.random() >= town.signals:
        return []
    at = float(rng.uniform(site.start + 4, site.end))
    things = [furniture.traffic_light(rng, at, site.side * site.curb)]
    if rng.random() < 0.6:
        lateral = site.side * (site.curb - 0.15)
        rails = [at + 1, at + 5, at + 9]
        things += [furniture.fence(town.rails, place, lateral, 4.0, 1.05) for place in rails]
    return things


def _street_trees(site: Site) -> list[Thing]:
    if site.town.pavement < 2.3:
        return []
    return site.trees(1.1, (site.curb + 0.3, site.curb + 0.6), (5.5, 9))


def _parked(site: Site) -> list[Thing]:
    town, rng, side = site.town, site.rng, site.side
    chance = town.parking[0 if side < 0 else 1]
    things = []
    for place in np.arange(site.start + 3.0, site.end - 3.0, _PLACE).tolist():
        kind, paint = vehicles.pick(rng)
        lateral = side * (town.half_road - 0.98 + float(rng.normal(0, 0.05)))
        if rng.random() < chance and kind != "bus":
            things.append(vehicles.vehicle(kind, paint, place, lateral, side > 0))
    return things
