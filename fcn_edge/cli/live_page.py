"""The live page of ``fcn-edge run``: made from the text ``http://:8080`` among the sinks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fcn_edge.cli.verb import note
from fcn_edge.errors import UsageError, needed_for

if TYPE_CHECKING:
    from fcn_edge.runtime.segmenter import Segmenter
    from fcn_edge.runtime.sinks import Overlays, Sink
    from fcn_edge.runtime.source_set import Sources
    from fcn_edge.runtime.sources import SourceAddress
    from fcn_edge.serve.address import PageAddress

__all__ = ["PageRequest", "page_request"]

SCHEMES = ("http://", "https://")


@dataclass(frozen=True)
class PageRequest:
    """The live page that was asked for.

    Attributes:
        address: Where it listens.
        token: What lets somebody in; None where none is set.
        listed: The sources that were given.
        allowed: Patterns of addresses that may be added.
        outputs: The other sinks.
    """

    address: PageAddress
    token: str | None = field(repr=False)
    listed: Sequence[SourceAddress]
    allowed: Sequence[str]
    outputs: Sequence[str]

    @contextmanager
    def page(self, segmenter: Segmenter, sources: Sources, overlays: Overlays) -> Iterator[Sink]:
        """Serve the page, and say where.

        Raises:
            FcnEdgeError: It cannot be served.
        """
        from fcn_edge.serve.page import LivePage

        with LivePage(
            self.address,
            segmenter,
            sources,
            token=self.token,
            listed=self.listed,
            allowed=self.allowed,
            outputs=self.outputs,
            overlays=overlays,
        ) as page:
            note(f"Live page: {page.url}")
            yield page


def page_request(
    sources: Sequence[SourceAddress], sinks: Sequence[str], token: str | None, allowed: Sequence[str]
) -> tuple[PageRequest | None, tuple[str, ...]]:
    """The page among the sinks, if there is one, and the other sinks.

    Raises:
        UsageError: There are several, or its address makes no sense, or what is for a page is given without one.
        MissingExtraError: The packages of the extra ``web`` are not installed.
    """
    pages = [sink for sink in sinks if sink.lower().startswith(SCHEMES)]
    others = tuple(sink for sink in sinks if sink not in pages)
    if len(pages) > 1:
        raise UsageError("Two live pages are among the SINKs.", "Name one: it shows all sources.")
    if not pages:
        if allowed:
            raise UsageError("--allow-source is for the live page, and there is none.", "Add one: http://:8080.")
        return None, others
    with needed_for("The live page"):
        from fcn_edge.serve.access import Access
        from fcn_edge.serve.address import PageAddress

    address = PageAddress.of(pages[0])
    Access(address, token)  # says what is wrong before the model is loaded
    if allowed and token is None:
        raise UsageError(
            "Sources can be added only with a token, and none is set.",
            "Give --token-file FILE, or set FCN_EDGE_TOKEN.",
        )
    return PageRequest(address, token, sources, allowed, others), others


def read_run_token(file: Path | None) -> str | None:
    """The token of ``--token-file`` or the environment, which is taken out of it; None where there is none.

    Raises:
        UsageError: It is none that protects anything.
    """
    from fcn_edge.serve.token import TOKEN_VARIABLE, read_token

    token = read_token(file, os.environ)
    os.environ.pop(TOKEN_VARIABLE, None)  # the processes that a run starts have no use for it
    return token
