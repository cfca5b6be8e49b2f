"""The Python packages that reach the CUDA driver."""
