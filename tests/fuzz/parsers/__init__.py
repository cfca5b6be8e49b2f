"""Everything that fcn_edge reads from outside, one parser for each kind."""

from __future__ import annotations

from ..parser import Parser
from . import addresses, checkpoints, documents, engines, foreign, models, pictures, results, texts, videos, weights

__all__ = ["PARSERS"]

PARSERS: tuple[Parser, ...] = (
    *models.PARSERS,
    *foreign.PARSERS,
    *engines.PARSERS,
    *documents.PARSERS,
    *results.PARSERS,
    *weights.PARSERS,
    *checkpoints.PARSERS,
    *texts.PARSERS,
    *addresses.PARSERS,
    *pictures.PARSERS,
    *videos.PARSERS,
)
