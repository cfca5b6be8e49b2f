"""Rendered street scenes with exact labels, for people without data."""

from fcn_edge.street.street import SMALLEST, Street

__all__ = ["SMALLEST", "Street"]
