"""Ultralytics: its own small semantic network through its own ``predict``, and the bare graph of it.

Ultralytics is under the AGPL. It is used here as a program beside ours, in the benchmark's environment; nothing of
fcn_edge imports it. Its network has random weights: what it costs to run does not depend on them.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from benchmarks.peers.peer import Peer, call_times
from benchmarks.peers.task import Image, Task
from fcn_edge.system.cpu import available_cores

__all__ = ["YoloNetwork", "YoloPredict"]

NET = "yolo26n-sem"
DISTINCT = 4
"""Inputs that the bare network goes round."""


class _Yolo(Peer):
    group, packages = "other net", ("ultralytics", "torch")

    @classmethod
    @override
    def prepare(cls, task: Task) -> str:
        path = task.folder / f"{NET}.onnx"
        if not path.is_file():
            import torch

            torch.manual_seed(0)
            with _InFolder(task):
                _ultralytics().YOLO(f"{NET}.yaml").export(format="onnx", imgsz=task.size, simplify=False)
        return "random weights"

    @property
    @override
    def threads(self) -> int:
        return available_cores()  # ONNX Runtime's own; Ultralytics has no option for it


class YoloPredict(_Yolo):
    """Frame to mask, as its users do it."""

    name, title = "yolo-predict", "Ultralytics predict, YOLO26n-sem"
    includes = "YOLO(...).predict(frame): letterbox, network with argmax, mask enlarged to the frame"
    setting = "ONNX at the same size, verbose=False, else its own"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        with _InFolder(task):
            self._net = _ultralytics().YOLO(f"{NET}.onnx", task="semantic")
            self._how: dict[str, Any] = {"imgsz": task.size, "device": "cpu", "verbose": False}
            self.mask(np.zeros((*task.size, 3), np.uint8))  # it loads the file now, not at the first frame

    @override
    def mask(self, frame: Image) -> Image:
        (result,) = self._net.predict(frame, **self._how)
        mask: Image = result.semantic_mask.data.numpy()
        return mask.reshape(frame.shape[:2])


class YoloNetwork(_Yolo):
    """What no program around that graph can beat."""

    name, title = "yolo-network", "YOLO26n-sem's graph alone"
    includes = "ONNX Runtime on the same file, on inputs that are ready, to labels of the network's size"
    setting = "ONNX Runtime's own session options"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        import onnxruntime

        self._session = onnxruntime.InferenceSession(
            str(task.folder / f"{NET}.onnx"), providers=["CPUExecutionProvider"]
        )
        random = np.random.default_rng(0)
        self._inputs = [random.random((1, 3, *task.size), np.float32) for _ in range(DISTINCT)]

    @override
    def mask(self, frame: Image) -> Image:
        raise TypeError("The bare network takes no frame.")

    @override
    def milliseconds(self, frames: Sequence[Image], count: int) -> list[float]:
        name = self._session.get_inputs()[0].name
        return call_times(lambda batch: self._session.run(None, {name: batch}), self._inputs, count)


class _InFolder:
    """The task's folder as the current one: Ultralytics writes and looks for files there."""

    def __init__(self, task: Task) -> None:
        self._folder, self._before = task.folder, os.getcwd()  # noqa: PTH109

    def __enter__(self) -> None:
        os.chdir(self._folder)

    def __exit__(self, *error: object) -> None:
        os.chdir(self._before)


def _ultralytics() -> Any:
    """The module, told to fetch nothing and to keep its settings with the benchmark's files.

    It imports torchvision, and uses it for boxes only. Where that cannot be imported, because it was built for another
    torch, an empty module stands in.
    """
    os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0"}
    os.environ.setdefault("YOLO_CONFIG_DIR", os.getcwd())  # noqa: PTH109
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError):
        sys.modules["torchvision"] = types.ModuleType("torchvision")
    return importlib.import_module("ultralytics")
