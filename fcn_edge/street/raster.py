"""Draws outlines and pictures into an image and, along the same outlines, into a label map."""

import cv2
import numpy as np

from fcn_edge.street.camera import Camera
from fcn_edge.street.kinds import BoolArray, ByteArray, FloatArray, IntArray
from fcn_edge.street.light import Light
from fcn_edge.street.texture import Texture

# Corners are handed to OpenCV in sixteenths of a pixel.
_SHIFT = 4
_SCALE = 16.0
# Corners farther out than this many pixels are pulled in, to stay within OpenCV's numbers.
_FAR_OUT = 60_000.0


def fixed(pixels: FloatArray) -> IntArray:
    """Pixel positions as OpenCV's fixed-point numbers."""
    scaled = np.rint(pixels * _SCALE)
    limit = _FAR_OUT * _SCALE
    return np.minimum(np.maximum(scaled, -limit), limit).astype(np.int32)


def outside(camera: Camera, low: FloatArray, high: FloatArray) -> BoolArray:
    """Which boxes of pixels (N, 2) to (N, 2), as (column, row), miss the image."""
    missed = (high[:, 0] < 0) | (low[:, 0] > camera.width)
    return missed | (high[:, 1] < 0) | (low[:, 1] > camera.height)


class Canvas:
    """An image, its labels and the camera and light they are drawn with.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        labels: (H, W) uint8.
    """

    def __init__(self, camera: Camera, light: Light, void: int) -> None:
        self.camera = camera
        self.light = light
        self.image: ByteArray = np.zeros((camera.height, camera.width, 3), np.uint8)
        self.labels: ByteArray = np.full((camera.height, camera.width), void, np.uint8)

    def polygon(self, points: IntArray, color: tuple[float, ...], label: int) -> None:
        """Fill one convex polygon given in fixed-point pixels."""
        cv2.fillConvexPoly(self.image, points, color, cv2.LINE_AA, _SHIFT)
        cv2.fillConvexPoly(self.labels, points, label, cv2.LINE_8, _SHIFT)

    def picture(
        self,
        texture: Texture,
        quad: FloatArray,
        part: tuple[float, float],
        shade: FloatArray,
        label: int,
        solid: bool,
    ) -> None:
        """Draw a texture onto a quad.

        Args:
            texture: The texture.
            quad: (4, 2) pixels of its corners, clockwise from the upper left.
            part: Shares of the texture's width between which it is shown.
            shade: (3, 4) matrix from a texture's BGR color to the seen one.
            label: Class id.
            solid: Whether the see-through parts of a BGRA texture are labeled too.
        """
        camera = self.camera
        (left_f, top_f), (right_f, bottom_f) = quad.min(axis=0).tolist(), quad.max(axis=0).tolist()
        left, top = max(int(left_f), 0), max(int(top_f), 0)
        right, bottom = min(int(right_f) + 2, camera.width), min(int(bottom_f) + 2, camera.height)
        if right <= left or bottom <= top:
            return
        first, last = part
        (x0, y0), (x1, y1), (_, y2), (_, y3) = quad.tolist()
        source_picture = texture.fitting(max(y3 - y0, y2 - y1), (x1 - x0) / max(last - first, 1e-6))
        high, wide = source_picture.shape[:2]
        u0, u1, v0, v1 = first * wide - 0.5, last * wide - 0.5, -0.5, high - 0.5
        source = np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]], np.float32)
        local = quad - (left, top)
        matrix = cv2.getPerspectiveTransform(source, local.astype(np.float32))
        size = (right - left, bottom - top)
        image = self.image[top:bottom, left:right]
        labels = self.labels[top:bottom, left:right]
        see_through = source_picture.shape[2] == 4
        edge = cv2.BORDER_CONSTANT if see_through else cv2.BORDER_REPLICATE
        patch = cv2.warpPerspective(source_picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge)
        outline = fixed(local)
        if see_through:
            alpha = cv2.extractChannel(patch, 3)
            # The colors are weighted by the cover already, so haze has to be as well.
            weighted = np.concatenate([shade[:, :3], shade[:, 3:] / 255], axis=1)
            rest = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2BGR)
            under = cv2.multiply(image, rest, scale=1 / 255)
            cv2.add(cv2.transform(patch, weighted), under, dst=image)
            if not solid:
                # Sparse twigs count as the crown, the open air between lobes does not.
                labels[np.asarray(alpha) > 40] = label
                return
        else:
            mask = np.zeros(labels.shape, np.uint8)
            cv2.fillConvexPoly(mask, outline, 255, cv2.LINE_8, _SHIFT)
            cv2.copyTo(cv2.transform(patch, shade), mask, image)
        cv2.fillConvexPoly(labels, outline, label, cv2.LINE_8, _SHIFT)
