"""Write one small checkpoint in each form that torch itself has, for the tests that run where there is no torch.

    python -m tests.artifacts.weights.write_samples tests/artifacts/samples/torch

Run it again only where torch writes something that the samples lack; a newer torch's files go into another directory.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import torch


def main() -> None:
    """Write the samples into an empty directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    output: Path = parser.parse_args().output
    output.mkdir(parents=True)
    write_samples(output)


def write_samples(output: Path) -> None:
    """Write a training checkpoint in the zip form and in the one before PyTorch 1.6, 6 KB in all."""
    numbers = torch.arange(-3, 3).reshape(2, 3)
    weight = numbers.float() / 7
    state = OrderedDict(
        {
            "features.weight": weight,
            # the same storage, read in another order
            "features.turned": weight.t(),
            "score.weight": (numbers / 7).half(),
            "score.bias": (numbers / 7).bfloat16()[0],
            "bn.num_batches_tracked": torch.tensor(1 << 40),
        }
    )
    value = {
        "state_dict": state,
        "args": argparse.Namespace(lr=0.5, arch="fcn", milestones=[30, 45], resume=None),
        "epoch": 3,
        "torch": str(torch.__version__),
    }
    torch.save(value, output / "zip.pth")
    torch.save(value, output / "legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
