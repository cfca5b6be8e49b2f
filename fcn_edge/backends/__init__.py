"""What runs a network: one folder per library, behind ``Backend``, ``Engine`` and ``Session``."""

from __future__ import annotations

from fcn_edge.backends.registry import BACKENDS, available_backends, backend

__all__ = ["BACKENDS", "available_backends", "backend"]
