"""What moves: cars, walkers and cyclists, each a plain function of time."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fcn_edge.street import people, vehicles
from fcn_edge.street.kinds import Color
from fcn_edge.street.shapes import Rods, Thing
from fcn_edge.street.town import Town

# Steps of a walker's or a cyclist's cycle that are drawn; shapes are kept from one to the next.
_PHASES = 32
_SIGHT = 72.0
"""Meters ahead up to which people are drawn."""


@dataclass(frozen=True)
class _Stream:
    """An endless row of movers that keep their order.

    Attributes:
        key: Tells this stream's random numbers from those of others.
        lateral: Meters right of the center line.
        wander: Spread of the lateral position in meters.
        speed: Meters per second along the street; negative comes towards the camera.
        gap: Meters between two places in the row.
        chance: Share of places that are taken.
    """

    key: int
    lateral: float
    wander: float
    speed: float
    gap: float
    chance: float


@dataclass(frozen=True)
class _Member:
    """One place of a stream that is taken.

    Attributes:
        offset: Meters along the street at time 0.
        lateral: Meters right of the center line.
        seed: Chooses its looks.
        phase: Radians by which its cycle is ahead.
        turn: Radians by which it looks aside.
        kind: Kind of vehicle.
        paint: Color of the vehicle.
    """

    offset: float
    lateral: float
    seed: int
    phase: float
    turn: float
    kind: str
    paint: Color


@lru_cache(maxsize=1024)
def _walker_shape(seed: int, phase: int) -> Rods:
    return people.walker(np.random.default_rng(seed), phase * 2 * np.pi / _PHASES)


@lru_cache(maxsize=1024)
def _cyclist_shape(seed: int, phase: int) -> Rods:
    return people.cyclist(np.random.default_rng(seed), phase * 2 * np.pi / _PHASES)


def _step(radians: float) -> int:
    return round(radians / (2 * np.pi) * _PHASES) % _PHASES


class Traffic:
    """Everything that moves, at any time."""

    def __init__(self, town: Town, rng: np.random.Generator, camera_lateral: float) -> None:
        self._seed = town.seed
        self._members: dict[tuple[int, int], _Member | None] = {}
        half, pavement = town.half_road, town.pavement
        busy = float(rng.uniform(0.5, 1.3))
        walk = float(rng.uniform(0.3, 1.0))
        self._cars = _Stream(1, town.lane(1), 0.12, float(-rng.uniform(6, 12)), 26.0, 0.4 * busy)
        self._ahead = _Stream(2, camera_lateral, 0.15, 0.0, 22.0, 0.4 * busy)
        self._walkers = tuple(
            _Stream(
                key=10 + i,
                lateral=side * (half + 0.8 + (pavement - 1.1) * (0.25 + 0.5 * (way > 0))),
                wander=0.12,
                speed=way * float(rng.uniform(1.0, 1.6)),
                gap=9.0,
                chance=0.45 * walk,
            )
            for i, (side, way) in enumerate(((-1, 1), (-1, -1), (1, 1), (1, -1)))
        )
        # Cyclists keep to the curb, or to the doors of parked cars.
        left, right = 0.5 - town.free(-1), town.free(1) - 0.5
        self._cyclists = (
            _Stream(20, left, 0.08, float(rng.uniform(3.5, 5)), 26.0, 0.2 + 0.12 * busy),
            _Stream(21, right, 0.08, float(-rng.uniform(4, 6)), 30.0, 0.3),
        )

    def around(self, time: float, camera: float, behind: float, ahead: float) -> list[Thing]:
        """Movers between `behind` and `ahead` meters of the camera at a time in seconds."""
        things: list[Thing] = []
        for at, who in self._present(self._cars, time, camera - behind, camera + ahead):
            things.append(vehicles.vehicle(who.kind, who.paint, at, who.lateral, True))
        # Cars that drive ahead keep their distance to the camera, breathing a little.
        for at, who in self._present(self._ahead, time, 10.0, ahead):
            sway = 2.5 * float(np.sin(time * (0.15 + 0.02 * who.phase) + who.phase))
            place = camera + at + 4 + sway
            things.append(vehicles.vehicle(who.kind, who.paint, place, who.lateral, False))
        for stream in self._walkers:
            for at, who in self._present(stream, time, camera - 2, camera + _SIGHT):
                stride = _step(time * abs(stream.speed) * 4.2 + who.phase)
                shape = _walker_shape(who.seed, stride)
                yaw = who.turn + (0.0 if stream.speed > 0 else np.pi)
                things.append(people.stand(shape, at, who.lateral, yaw, 0.25, _SIGHT))
        for stream in self._cyclists:
            for at, who in self._present(stream, time, camera - 2, camera + _SIGHT):
                shape = _cyclist_shape(who.seed, _step(time * 6.5 + who.phase))
                yaw = 0.0 if stream.speed > 0 else np.pi
                things.append(people.stand(shape, at, who.lateral, yaw, 0.8, _SIGHT))
        return things

    def _present(self, stream: _Stream, time: float, start: float, end: float) -> list[tuple[float, _Member]]:
        """The members of a stream between two places, with their positions."""
        moved = stream.speed * time
        first = int(np.floor((start - moved) / stream.gap)) - 1
        last = int(np.ceil((end - moved) / stream.gap)) + 1
        found = []
        for place in range(first, last + 1):
            member = self._member(stream, place)
            if member is not None and start <= member.offset + moved <= end:
                found.append((member.offset + moved, member))
        return found

    def _member(self, stream: _Stream, place: int) -> _Member | None:
        key = (stream.key, place)
        if key not in self._members:
            rng = np.random.default_rng([self._seed, 13, stream.key, place & 0xFFFFFFFF])
            taken = rng.random() < stream.chance
            kind, paint = vehicles.pick(rng)
            member = _Member(
                offset=place * stream.gap + float(rng.uniform(0.15, 0.5)) * stream.gap,
                lateral=stream.lateral + float(rng.normal(0, stream.wander)),
                seed=int(rng.integers(1 << 31)),
                phase=float(rng.uniform(0, 2 * np.pi)),
                turn=float(rng.normal(0, 0.2)),
                kind=kind,
                paint=paint,
            )
            self._members[key] = member if taken else None
        return self._members[key]
