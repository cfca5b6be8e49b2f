"""Measures of masks and of times. Imports nothing of fcn_edge."""
