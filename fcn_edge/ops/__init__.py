"""What is done to pixels: resize to the network, scores to a mask, overlay. NumPy and OpenCV only."""
