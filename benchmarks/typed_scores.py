"""Scores of typed ONNX files on this processor, as it is or as an emulator plays it; needs no onnx package.

    qemu-x86_64 -cpu Haswell python benchmarks/typed_scores.py DIRECTORY

reads every ``*.onnx`` and ``images.npy``, ``(N, H, W, 3)`` uint8, of the directory, and writes ``scores.npz``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.onnx_header import spec_of_onnx
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime, open_unfused
from fcn_edge.backends.options import RunOptions

WAYS = {"unfused": open_unfused, "fused": OnnxRuntime().open_onnx}
"""How ONNX Runtime may run a file: node by node as written, or rewritten for speed."""


def typed_scores(directory: Path, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """``(N, C, h, w)`` float32 scores of every file of a directory, by ``name/way``.

    Args:
        directory: Holds the files.
        images: ``(N, H, W, 3)`` uint8 BGR, of the size to run at.
    """
    found = {}
    for path in sorted(directory.glob("*.onnx")):
        for way, opened in WAYS.items():
            size = (images.shape[1], images.shape[2])
            with opened(path, spec_of_onnx(path), size, RunOptions(threads=1)) as engine, engine.session() as session:
                found[f"{path.stem}/{way}"] = np.stack([session.scores(image) for image in images])
    return found


def main() -> None:
    """Read, run, write."""
    directory = Path(sys.argv[1])
    scores: dict[str, Any] = typed_scores(directory, np.load(directory / "images.npy"))
    np.savez(directory / "scores.npz", **scores)


if __name__ == "__main__":
    main()
