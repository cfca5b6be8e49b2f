"""torchvision's own networks, where torchvision is installed."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

OPERATORS = torch.library.Library("torchvision", "FRAGMENT")


def torchvision_segmentation() -> ModuleType:
    """``torchvision.models.segmentation``; skips the test where torchvision is not installed.

    A wheel's C++ operators do not load into every build of torch. Its networks need none, and its Python code only
    that two of them exist.
    """
    try:
        import torchvision.models.segmentation
    except ImportError:
        pytest.skip("torchvision is not installed; the development environment has it")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            OPERATORS.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision.models.segmentation
    return torchvision.models.segmentation
