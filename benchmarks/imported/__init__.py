"""What importing a network costs, and whether INT8 keeps it: a dense FCN of its authors, from checkpoint to engines."""
