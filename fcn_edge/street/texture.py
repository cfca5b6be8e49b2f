"""Pictures that are kept in all the sizes at which they are seen."""

import cv2
import numpy as np

from fcn_edge.street.kinds import ByteArray


class Texture:
    """A picture, and smaller ones of it made when first needed.

    Width and height shrink by themselves, since a front seen at a sharp angle needs far fewer
    columns than rows.

    Args:
        picture: (H, W, 3) uint8 BGR, or (H, W, 4) BGRA where parts are see-through.
    """

    def __init__(self, picture: ByteArray) -> None:
        if picture.shape[2] == 4:
            # Colors are weighted by their cover, so that hidden ones do not bleed in when the
            # picture is shrunk or turned.
            cover = cv2.cvtColor(picture[:, :, 3], cv2.COLOR_GRAY2BGR)
            weighted = cv2.multiply(picture[:, :, :3], cover, scale=1 / 255)
            picture = np.dstack([weighted, picture[:, :, 3]])
        self._sizes: dict[tuple[int, int], ByteArray] = {(0, 0): picture}

    def fitting(self, height: float, width: float) -> ByteArray:
        """The picture at up to twice as many rows and columns as it covers pixels.

        Colors of a BGRA picture come multiplied by their cover.
        """
        rows, columns = self._sizes[0, 0].shape[:2]
        return self._shrunk(_halvings(rows, height), _halvings(columns, width))

    def _shrunk(self, down: int, across: int) -> ByteArray:
        if (down, across) not in self._sizes:
            # Halving step by step keeps every size free of aliasing.
            larger = self._shrunk(max(down - 1, 0), across if down else across - 1)
            rows, columns = larger.shape[:2]
            size = (columns, rows // 2) if down else (columns // 2, rows)
            smaller = cv2.resize(larger, size, interpolation=cv2.INTER_AREA)
            self._sizes[down, across] = np.asarray(smaller, dtype=np.uint8)
        return self._sizes[down, across]


def _halvings(size: int, wanted: float) -> int:
    """How often a size of 4 or more can be halved without falling below what is wanted."""
    count = 0
    while size >> (count + 1) >= max(wanted, 4.0):
        count += 1
    return count
