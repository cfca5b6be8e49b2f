from __future__ import annotations

import numpy as np
import pytest
import torch

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.nets.normalize import Normalize


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_bgr_pixels_become_normalized_channels_in_the_order_of_the_encoder(order) -> None:
    normalization = Normalization(color_order=order, mean=(10, 20, 30), std=(2, 4, 5))
    image = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), np.uint8)
    channels = image[..., ::-1] if order == "rgb" else image
    expected = ((channels.astype(np.float64) - (10, 20, 30)) / (2, 4, 5)).transpose(0, 3, 1, 2)
    result = Normalize(normalization)(torch.from_numpy(image))
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_constants_are_not_part_of_a_checkpoint() -> None:
    assert not Normalize(Normalization()).state_dict()
