"""Networks to be exported, small and at full width."""

from __future__ import annotations

from ..exported_fixtures import (
    exported,
    exporting,
    images_of_size,
    int8,
    int8_file,
    made_table,
    small,
    small_checkpoint,
    small_table,
    table,
    three_decoders,
    view,
)

__all__ = [
    "exported",
    "exporting",
    "images_of_size",
    "int8",
    "int8_file",
    "small",
    "small_checkpoint",
    "small_table",
    "table",
    "made_table",
    "three_decoders",
    "view",
]
