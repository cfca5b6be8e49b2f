"""In which order to draw things so that near ones hide far ones."""

import numpy as np

from fcn_edge.street.kinds import FloatArray, IntArray


def far_to_near(spans: FloatArray, breadths: FloatArray, camera_lateral: float) -> list[int]:
    """Order things by which may hide which.

    Of two things whose stretches of the street do not overlap, the farther is drawn first; of
    two side by side, the one farther to the side of the camera. A plain sort by distance would
    get a long wall behind a small object wrong.

    Args:
        spans: (N, 2) near and far end along the street, in meters.
        breadths: (N, 2) left and right end across the street, in meters.
        camera_lateral: Meters right of the center line of the camera.

    Returns:
        Indices, the first to be drawn first.
    """
    count = len(spans)
    near, far = spans[:, 0], spans[:, 1]
    left, right = breadths[:, 0] - camera_lateral, breadths[:, 1] - camera_lateral
    slack = 1e-6
    beyond = near[:, None] >= far[None, :] - slack
    before = beyond.T
    outer_right = (left[:, None] >= right[None, :] - slack) & (left[:, None] > -slack)
    outer_left = (right[:, None] <= left[None, :] + slack) & (right[:, None] < slack)
    middle = near + far
    farther = middle[:, None] > middle[None, :]
    aside = outer_right | outer_left
    # first[i, j]: i is to be drawn before j.
    settled = beyond != before
    sided = ~settled & (aside != aside.T)
    first = np.where(settled, beyond, np.where(sided, aside, farther))
    np.fill_diagonal(first, False)
    waiting: IntArray = first.sum(axis=0).astype(np.int32)
    # A thing leaves the queue when nothing is left that must come before it.
    key = far.copy()
    order: list[int] = []
    for _ in range(count):
        best = int(np.argmin(waiting - key * 1e-6))
        order.append(best)
        waiting -= first[best]
        waiting[best] = 1 << 20
    return order
