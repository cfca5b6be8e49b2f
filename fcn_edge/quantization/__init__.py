"""Checkpoints to ONNX, and what is done to the graph. Needs the ``[export]`` extra."""
