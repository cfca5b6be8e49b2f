"""Images for the networks of others."""

from __future__ import annotations

from ...exported_fixtures import images_of_size

__all__ = ["images_of_size"]
