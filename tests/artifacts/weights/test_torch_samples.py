"""Files that torch itself wrote are read where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcn_edge.artifacts.weights import weights_of

SAMPLES = Path(__file__).parents[1] / "samples" / "torch"


def rounded_to_bfloat16(numbers: np.ndarray) -> np.ndarray:
    """To the nearest number whose lower sixteen bits are zero; of two, the even one."""
    bits = numbers.astype("<f4").view("<u4").astype("<u8")
    upper = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return upper.astype("<u4").view("<f4")


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_what_torch_wrote(kind: str) -> None:
    weights = weights_of(SAMPLES / f"{kind}.pth")
    assert (weights.kind, weights.wrapper) == (kind, "state_dict")
    assert weights.globals == {"argparse.Namespace"}
    assert weights.fields == {
        "args": {"lr": 0.5, "arch": "fcn", "milestones": [30, 45], "resume": None},
        "epoch": 3,
        "torch": "2.13.0+cpu",
    }
    sevenths = (np.arange(-3, 3, dtype=np.float32) / np.float32(7)).reshape(2, 3)
    expected = {
        "features.weight": ("float32", sevenths),
        "features.turned": ("float32", sevenths.T),
        "score.weight": ("float16", sevenths.astype(np.float16)),
        "score.bias": ("bfloat16", rounded_to_bfloat16(sevenths[0])),
        "bn.num_batches_tracked": ("int64", np.array(1 << 40)),
    }
    assert list(weights.tensors) == list(expected)
    for key, (dtype, numbers) in expected.items():
        stored, array = weights.tensors[key], weights.tensors[key].array()
        assert stored.dtype == dtype
        assert array.shape == stored.shape == numbers.shape
        assert array.dtype == (np.int64 if dtype == "int64" else np.float32)
        assert np.array_equal(array, numbers)


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 10_000
