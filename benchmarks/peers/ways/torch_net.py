"""PyTorch with the same weights: eager, and compiled."""

from __future__ import annotations

import os
from typing import Any

import cv2
from typing_extensions import override

from benchmarks.peers.peer import Peer, enlarged
from benchmarks.peers.task import Image, Task

__all__ = ["TorchCompiled", "TorchEager"]


class TorchEager(Peer):
    """The module as it is."""

    name, title = "torch", "PyTorch, eager"
    includes = "cv2.resize, normalization, network, upsampling and argmax in torch, cv2.resize to the frame"
    setting = "BatchNorm folded, channels last, inference mode"
    packages = ("torch",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(task.folder / "inductor"))
        import torch

        if task.threads is not None:
            torch.set_num_threads(task.threads)
            cv2.setNumThreads(task.threads)
        self._torch = torch
        self._net = self.made(_whole(task))

    def made(self, net: Any) -> Any:
        """The module as it is called."""
        return net

    @property
    @override
    def threads(self) -> int:
        return int(self._torch.get_num_threads())

    @override
    def mask(self, frame: Image) -> Image:
        image = cv2.resize(frame, self.task.size[::-1])
        with self._torch.inference_mode():
            labels: Image = self._net(self._torch.from_numpy(image)).numpy()
        return enlarged(labels, frame)


class TorchCompiled(TorchEager):
    """The module through ``torch.compile``."""

    name, title = "torch-compiled", "PyTorch, torch.compile"
    setting = "BatchNorm folded, channels last, inference mode, torch.compile (inductor) with frozen weights"
    warm_up = 4

    @override
    def made(self, net: Any) -> Any:
        return self._torch.compile(net, options={"freezing": True})


def _whole(task: Task) -> Any:
    """Image of the network's size to labels, all of it in one module."""
    import torch
    from torch import Tensor, nn

    from benchmarks.peers.ways.torch_graph import module_of_onnx

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            net: Any = module_of_onnx(task.logits)
            self.net = net.to(memory_format=torch.channels_last)
            self.register_buffer("mean", torch.tensor(task.mean))
            self.register_buffer("scale", torch.tensor(task.scale))
            self.mean: Tensor
            self.scale: Tensor

        def forward(self, image: Tensor) -> Tensor:
            planes = ((image - self.mean) / self.scale).permute(2, 0, 1)[None]
            labels: Tensor = self.net(planes).max(1).indices[0].to(torch.uint8)
            return labels

    return Whole().eval()
