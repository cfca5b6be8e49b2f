"""TensorRT plans, run."""
