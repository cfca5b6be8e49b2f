"""The live page of a run, as a sink.

    sources = fcn_edge.Sources("rtsp://camera/1", fixed=True)
    with LivePage("http://:8080", segment, sources) as page:
        print(page.url)
        fcn_edge.run(sources, segment, [page])

``fcn-edge run`` makes one of the text ``http://:8080`` among its sinks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import TimeoutError as NoAnswerError
from contextlib import suppress

from typing_extensions import override

from fcn_edge.errors import needed_for
from fcn_edge.io.json_text import json_text
from fcn_edge.runtime.events import Event, GradeChanged, SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import Overlays, Sink
from fcn_edge.runtime.sinks.encoders.choice import chosen
from fcn_edge.runtime.source_set import Sources
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.serve.address import PageAddress

with needed_for("The live page"):
    from fcn_edge.serve.access import Access
    from fcn_edge.serve.app import Answers, page_app
    from fcn_edge.serve.control import Control, control_routes
    from fcn_edge.serve.encoding import Encoding
    from fcn_edge.serve.guard import Guard
    from fcn_edge.serve.login import login_routes
    from fcn_edge.serve.metrics import CONTENT_TYPE, metrics_text
    from fcn_edge.serve.model_facts import ModelFacts
    from fcn_edge.serve.readiness import ready
    from fcn_edge.serve.server import Server
    from fcn_edge.serve.shown import ShownSources
    from fcn_edge.serve.state import RunState
    from fcn_edge.serve.status import status
    from fcn_edge.serve.viewers import Viewers

__all__ = ["LivePage"]

GOODBYE = 1.0
"""Seconds that telling the viewers that the run is over may take."""


class LivePage(Sink):
    """A web server that shows the results of all sources of a run, until it is closed.

    Whoever reaches it on a loopback address may look, elsewhere who has the token; changes always take the token.

    Args:
        address: Where it listens, such as ``http://:8080``.
        segmenter: The model that runs.
        sources: The sources of the run; the very object that the run goes through.
        token: None where nothing may be changed.
        listed: Addresses that may be added again when they were removed.
        allowed: Patterns of addresses that may be added.
        outputs: What the other sinks of the run were given as.
        overlays: Draws the overlays of snapshots.

    Attributes:
        url: What to open in a browser.

    Raises:
        UsageError: The address makes no sense, or others reach it and there is no token.
        MachineError: The port is taken, or the encoder that was named does not work.
        MissingExtraError: The packages of the extra ``web`` are not installed.
    """

    def __init__(
        self,
        address: str | PageAddress,
        segmenter: Segmenter,
        sources: Sources,
        *,
        token: str | None = None,
        listed: Sequence[SourceAddress] = (),
        allowed: Sequence[str] = (),
        outputs: Iterable[str] = (),
        overlays: Overlays | None = None,
    ) -> None:
        place = PageAddress.of(address) if isinstance(address, str) else address
        access = Access(place, token)
        self._closed = False
        self._state = RunState(ModelFacts.of(segmenter), sources, outputs, control=access.has_token)
        self._viewers = Viewers(self._status, self._watch)
        choice = chosen(place.encoder)
        self._has_video = choice is not None  # without, browsers take JPEG
        self._shown = ShownSources(
            sources, choice, overlays or Overlays(0.5, True), self._viewers.publish, self._viewers.forget
        )
        answers = Answers(
            viewers=self._viewers,
            pictures=self._shown.pictures,
            sources=self._shown.labels,
            status=lambda: self._status(True),
            metrics=self._metrics,
            ready=lambda: ready(self._state),
            further=[*login_routes(access), *control_routes(Control(sources, listed, allowed))],
        )
        self._server = Server(Guard(page_app(answers), place, access), place)
        self.url = self.name = f"{self._server.url}/"

    @override
    def write(self, result: Result) -> None:
        self._shown.put(result)

    @override
    def heard(self, event: Event) -> None:
        self._state.heard(event)
        if isinstance(event, SourceChanged | GradeChanged):
            self._shown.heard(event.source, event)

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with suppress(NoAnswerError, RuntimeError):
            goodbye = self._viewers.close()
            asyncio.run_coroutine_threadsafe(goodbye, self._server.loop).result(GOODBYE)
        self._server.close()
        self._shown.close()

    def encodings(self) -> tuple[Encoding, ...]:
        """What the video of each source has cost so far."""
        return self._shown.encodings()

    def _status(self, history: bool) -> str:
        self._state.viewers = len(self._viewers)
        return json_text({"type": "status", "video": self._has_video, **status(self._state, history)})

    def _metrics(self) -> tuple[bytes, str]:
        self._state.viewers = len(self._viewers)
        return metrics_text(self._state, self.encodings()), CONTENT_TYPE

    def _watch(self, numbers: frozenset[int]) -> None:
        self._state.viewers = len(self._viewers)
        self._shown.watch(numbers)
