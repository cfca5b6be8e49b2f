"""What ``gpu_check.py`` checks and times on an NVIDIA GPU, one module a subject."""
