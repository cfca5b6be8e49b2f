"""Numbers of the GPU check that are the same everywhere."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import numpy as np

FIRST_OF_SPLITMIX64 = 0xE220A8397B1DCDAF
"""Of the seed 0, as its author's C code gives it."""


def test_bytes_are_those_of_the_published_generator(gpu_check: ModuleType) -> None:
    drawn = import_module("gpu.pseudo_random").bytes_of((8,), 0)
    assert int.from_bytes(drawn.tobytes(), "little") == FIRST_OF_SPLITMIX64


def test_seeds_differ_and_numbers_are_spread(gpu_check: ModuleType) -> None:
    module = import_module("gpu.pseudo_random")
    one, other = (module.noise((1, 4, 64, 64), seed) for seed in (1, 2))
    assert one.dtype == np.float32
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03
    for drawn in (one, other):
        assert abs(drawn.mean()) < 0.02
        assert abs(drawn.std() - (4 / 12) ** 0.5) < 0.02
    np.testing.assert_array_equal(module.bytes_of((3, 5), 7).ravel(), module.bytes_of((20,), 7)[:15])
