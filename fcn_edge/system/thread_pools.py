"""Thread pools that fight: the libraries around the network, held to one thread each.

NumPy's BLAS and OpenCV keep thread pools of their own. Next to a network that uses every core, their threads take its
time slices, and the network's threads wait for one another: a frame can take twice as long. What fcn_edge does with
BLAS and OpenCV between frames is small, so one thread is enough for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["owned_thread_pools"]


@contextmanager
def owned_thread_pools() -> Iterator[None]:
    """Hold BLAS and OpenCV to one thread in this process for as long as the block runs.

    The commands that run networks on the processor use it. ``load`` does not, since the pools belong to the whole
    process: a program that owns its process may do the same::

        with owned_thread_pools():
            for result in fcn_edge.stream(segment, "drive.mp4"): ...
    """
    from threadpoolctl import ThreadpoolController

    from fcn_edge.io.opencv import cv2

    before = cv2().getNumThreads()
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        cv2().setNumThreads(1)
        try:
            yield
        finally:
            cv2().setNumThreads(before)
