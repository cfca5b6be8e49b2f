"""What the camera adds: exposure, color balance, softness, vignette and noise."""

import cv2
import numpy as np

from fcn_edge.street.kinds import ByteArray
from fcn_edge.street.textures import white_noise

_SPARE = 64


class Lens:
    """The camera of one street."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, dusk: bool) -> None:
        self._gain = float(rng.uniform(0.9, 1.4) if dusk else rng.uniform(1.25, 2.0))
        self._gamma = float(rng.uniform(1.15, 1.55))
        # Dash cameras tend to the blue side.
        self._balance = np.array([1.03, 1.0, 0.97]) + rng.normal(0, 0.022, 3)
        self._drift = rng.uniform(0, 2 * np.pi, 2)
        self._pace = rng.uniform(0.03, 0.15, 2)
        self._soft = float(rng.uniform(0.3, 0.75)) * max(min(height, width) / 360.0, 0.4) ** 0.5
        sigma = rng.uniform(0.5, 2.6) * (1.6 if dusk else 1.0)
        # One tile of noise larger than the image; every frame looks at another part of it.
        # Noise of the brightness and of the color, the latter repeated from few numbers.
        shape = (height + _SPARE, width + _SPARE)
        gray = white_noise(rng, *shape) * np.float32(sigma)
        tint = [np.roll(gray, shift, (0, 1)) for shift in ((11, 37), (29, 5), (3, 23))]
        noise = [cv2.convertScaleAbs(gray + t, alpha=0.8, beta=128.0) for t in tint]
        self._noise = cv2.merge(noise)
        self._seed = int(rng.integers(1 << 31))
        rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        fall = np.float32(rng.uniform(0.05, 0.22) * 255 / 2)
        bright = (255 - fall * (rows**2 + columns**2)).astype(np.uint8)
        self._vignette = cv2.merge([bright, bright, bright])

    def expose(self, image: ByteArray, index: int, time: float) -> ByteArray:
        """The picture (H, W, 3) uint8 BGR that the camera takes of an ideal image."""
        slow = np.sin(time * self._pace + self._drift)
        gain = self._gain * (1 + 0.08 * slow[0])
        steps = np.arange(256) / 255.0
        table = np.empty((1, 256, 3), np.uint8)
        for channel in range(3):
            balance = self._balance[channel] * (1 + 0.02 * slow[1] * (channel - 1))
            curve = np.clip(steps * gain * balance, 0, 1) ** self._gamma
            table[0, :, channel] = np.rint(255 * curve)
        soft = cv2.GaussianBlur(image, (0, 0), self._soft)
        lit = cv2.multiply(cv2.LUT(soft, table), self._vignette, scale=1 / 255)
        rng = np.random.default_rng([self._seed, index])
        row, column = rng.integers(0, _SPARE, 2).tolist()
        height, width = image.shape[:2]
        noise = self._noise[row : row + height, column : column + width]
        return np.asarray(cv2.addWeighted(lit, 1.0, noise, 1.0, -128.0), dtype=np.uint8)
