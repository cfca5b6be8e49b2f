"""TensorRT and TensorRT-RTX: one builder for both, and for every version from TensorRT 10.0 on."""

from __future__ import annotations

from fcn_edge.backends.tensorrt.backend import TensorRT, TensorRTRTX

__all__ = ["TensorRT", "TensorRTRTX"]
