from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.datasets.scenes import rendered_drive, rendered_images
from fcn_edge.street import Street

pytest.importorskip("cv2")

SIZE = (64, 96)


def test_images_are_the_first_frames_of_streets() -> None:
    images = list(rendered_images(SIZE, (500, 3)))
    streets = [Street(seed=seed, size=SIZE, frames=1).frame(0)[0] for seed in (500, 3)]
    np.testing.assert_array_equal(images, streets)
    assert (images[0] != images[1]).any()
    assert len(list(rendered_images(SIZE))) == 8


def test_what_no_street_is_as_small_as_is_rendered_larger() -> None:
    assert [image.shape for size in ((7, 9), (20, 400)) for image in rendered_images(size, (3,))] == [
        (32, 32, 3),
        (32, 400, 3),
    ]


def test_drive_is_one_street_frame_by_frame() -> None:
    frames = list(rendered_drive(SIZE, 3, seed=2, fps=1.0))
    street = Street(seed=2, size=SIZE, frames=3, fps=1.0)
    np.testing.assert_array_equal(frames, [street.frame(index)[0] for index in range(3)])
    assert (frames[0] != frames[1]).any()
