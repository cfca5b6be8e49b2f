"""The weather and the hour of a street, and how they drift along the drive."""

import numpy as np

from fcn_edge.street.kinds import Color, FloatArray
from fcn_edge.street.light import Light

_KINDS = ("clear", "cloudy", "overcast", "mist", "dusk")


class Weather:
    """Sun, sky colors and haze of one street."""

    def __init__(self, rng: np.random.Generator) -> None:
        kind = _KINDS[int(rng.choice(5, p=[0.36, 0.26, 0.22, 0.06, 0.10]))]
        self.kind = kind
        azimuth = rng.uniform(0, 2 * np.pi)
        height = {"clear": rng.uniform(0.3, 1.0), "dusk": rng.uniform(0.08, 0.2)}.get(kind, rng.uniform(0.4, 1.0))
        self._sun = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
        sunny = {"clear": 0.9, "cloudy": 0.5, "overcast": 0.08, "mist": 0.06, "dusk": 0.12}[kind]
        self._sunny = sunny * rng.uniform(0.85, 1.15)
        self._ambient = {
            "clear": 0.36,
            "cloudy": 0.5,
            "overcast": 0.66,
            "mist": 0.75,
            "dusk": 0.42,
        }[kind] * rng.uniform(0.9, 1.1)
        warm = rng.normal(0, 0.05) + (0.06 if kind == "clear" else 0.0)
        self._warm = np.array([1 - warm, 1.0, 1 + warm])
        self.visibility = float(
            {
                "clear": rng.uniform(350, 1200),
                "cloudy": rng.uniform(250, 700),
                "overcast": rng.uniform(160, 450),
                "mist": rng.uniform(70, 140),
                "dusk": rng.uniform(200, 500),
            }[kind]
        )
        skies: dict[str, tuple[Color, Color, float]] = {
            "clear": ((214.0, 150.0, 96.0), (244.0, 232.0, 216.0), 0.3),
            "cloudy": ((220.0, 180.0, 140.0), (240.0, 234.0, 226.0), 0.6),
            "overcast": ((214.0, 210.0, 206.0), (240.0, 238.0, 236.0), 0.8),
            "mist": ((218.0, 216.0, 214.0), (226.0, 226.0, 224.0), 0.9),
            "dusk": ((170.0, 138.0, 112.0), (176.0, 186.0, 208.0), 0.5),
        }
        zenith, horizon, cover = skies[kind]
        # Cameras burn out bright skies on many drives.
        burnt = rng.uniform(0.1, 1.0) if kind != "dusk" else 0.0
        self.zenith = _toward_white(zenith, burnt)
        self.horizon = _toward_white(horizon, burnt)
        self.cover = float(np.clip(cover + rng.normal(0, 0.12), 0, 1))
        self._lamps = 1.0 if kind == "dusk" else (0.35 if kind == "mist" else 0.0)
        self._drift = rng.uniform(0, 2 * np.pi, 3)
        self._pace = rng.uniform(0.02, 0.08, 3)
        self._glare = float(rng.uniform(0.68, 1.02))

    def light(self, heading: float, time: float) -> Light:
        """The light for a camera heading in radians at a time in seconds."""
        east, up, north = self._sun.tolist()
        cos, sin = np.cos(heading), np.sin(heading)
        sun = np.array([east * cos - north * sin, up, east * sin + north * cos])
        cloud = 0.75 + 0.25 * np.sin(time * self._pace[0] * 4 + self._drift[0])
        direct = self._sunny * cloud * self._warm
        ambient = self._ambient * (2 - self._warm) ** 0.5
        return Light(
            sun=sun,
            direct=direct,
            ambient=ambient,
            haze=np.multiply(self.horizon, self.brightness(time)),
            visibility=self.visibility,
            lamps=self._lamps,
        )

    def brightness(self, time: float) -> FloatArray:
        """Color gain (3,) BGR of the sky at a time in seconds."""
        return np.full(3, self._glare + 0.03 * np.sin(time * self._pace[1] + self._drift[1]))


def _toward_white(color: Color, share: float) -> Color:
    mixed = np.multiply(color, 1 - share) + 250.0 * share
    return (float(mixed[0]), float(mixed[1]), float(mixed[2]))
