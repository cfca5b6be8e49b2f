"""What the live page costs, and whether its memory stays flat."""
