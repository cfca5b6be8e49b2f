"""Measurements of training and of trained networks."""
