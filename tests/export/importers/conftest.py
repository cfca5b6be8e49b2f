"""Images for the networks of others, and a network of ours."""

from __future__ import annotations

from ...exported_fixtures import images_of_size, small, three_decoders

__all__ = ["images_of_size", "small", "three_decoders"]
