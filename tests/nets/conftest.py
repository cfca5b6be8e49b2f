"""Weights files of encoders."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from .torchvision_layout import CLASSIFIERS, LAYOUTS


@pytest.fixture(scope="session")
def imagenet_weights():
    """Random tensors in the layout of torchvision's files, by encoder; the classifier takes no memory."""
    kept: dict[str, dict[str, Tensor]] = {}

    def weights(encoder: str) -> dict[str, Tensor]:
        if encoder not in kept:
            generator = torch.Generator().manual_seed(1)
            kept[encoder] = {
                name: torch.zeros(1).expand(shape)
                if name.startswith(CLASSIFIERS)
                else torch.tensor(7)
                if name.endswith("num_batches_tracked")
                else torch.rand(shape, generator=generator)
                for name, shape in LAYOUTS[encoder]().items()
            }
        return dict(kept[encoder])

    return weights
