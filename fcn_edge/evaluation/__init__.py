"""Is a model right, and is it fast: accuracy, latency, the guard against FP32, leakage of calibration images."""
