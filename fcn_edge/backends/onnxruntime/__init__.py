"""ONNX Runtime, on processors and on NVIDIA GPUs."""
