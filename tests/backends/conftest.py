"""Engines to be damaged."""

from __future__ import annotations

from ..engine_damages import engine, int8_engine, whole

__all__ = ["engine", "int8_engine", "whole"]
