"""CUDA behind one small interface: memory, streams, kernels, sessions."""
