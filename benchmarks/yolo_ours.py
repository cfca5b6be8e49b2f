"""fcn_edge's side of ``benchmarks.yolo``; it answers as ``yolo_predict.py`` does."""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fcn_edge.runtime.segmenter import load

WARM_UP = 3


def main() -> None:
    """Load, and answer until there are no more lines."""
    model, backend, height, width, name = sys.argv[1:]
    folder = Path(name)
    frames = np.load(folder / "frame.npy")
    how: dict[str, Any] = {} if Path(model).is_dir() else {"backend": backend, "size": (int(height), int(width))}
    with load(model, **how) as segmenter:
        for frame in frames[:WARM_UP]:
            segmenter(frame)
        libraries = {name: version(name) for name in ("onnxruntime", "openvino")}
        _say({"backend": segmenter.backend, "precision": segmenter.spec.precision, "versions": libraries})
        for line in sys.stdin:
            what, *given = json.loads(line)
            if what == "masks":
                np.save(given[1], np.stack([segmenter(frame).labels.copy() for frame in np.load(given[0])]))
                _say({})
                continue
            times = []
            for index in range(int(given[0])):
                started = time.perf_counter()
                segmenter(frames[index % len(frames)])
                times.append(1000 * (time.perf_counter() - started))
            _say({"ms": statistics.median(times)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
