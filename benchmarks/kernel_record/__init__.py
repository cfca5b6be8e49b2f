"""What the compilers make of the CUDA kernels, and what the kernels load: numbers that need no GPU."""
