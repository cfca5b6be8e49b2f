"""The state of a run for Prometheus: ``/metrics``. docs/metrics.md describes each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from typing_extensions import override

from fcn_edge.errors import needed_for
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sources.base import Grade, State
from fcn_edge.serve.buckets import Buckets
from fcn_edge.serve.encoding import Encoding
from fcn_edge.serve.source_record import SourceView
from fcn_edge.serve.state import RunState
from fcn_edge.text import printable
from fcn_edge.version import __version__

with needed_for("The live page"):
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "metrics_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The format that every Prometheus reads; all names here are of its letters."""

STATES: tuple[State, ...] = get_args(State)
GRADES: tuple[Grade, ...] = get_args(Grade)

_COUNTERS: tuple[tuple[str, str, Callable[[SourceView], int]], ...] = (
    ("frames", "Masks that were made.", lambda view: view.frames),
    ("dropped", "Frames of a live source that were skipped for newer ones.", lambda view: view.status.dropped),
    ("late", "Frames that were older than a mask may be (--max-age).", lambda view: view.status.late),
    ("reconnects", "How often it was connected again after it was lost.", lambda view: view.status.reconnects),
    ("stalls", "How often no frame came for a while.", lambda view: view.status.stalls),
)


def metrics_text(state: RunState, encodings: Iterable[Encoding] = ()) -> bytes:
    """What a scrape gets, of ``CONTENT_TYPE``; sources that were removed are not in it.

    Args:
        state: The run.
        encodings: What the page's video of each source has cost.
    """
    registry = CollectorRegistry()
    registry.register(_Collected(state, encodings))
    return generate_latest(registry)


class _Collected(Collector):
    """Reads the state when it is asked, once a scrape."""

    def __init__(self, state: RunState, encodings: Iterable[Encoding]) -> None:
        self._state = state
        self._encodings = encodings

    @override
    def collect(self) -> Iterator[Metric]:
        yield from _of_run(self._state)
        yield from _of_sources(self._state.views())
        yield from _of_encodings(self._encodings)


def _of_run(state: RunState) -> Iterator[Metric]:
    spec = state.model.spec
    yield InfoMetricFamily(
        "fcn_edge_build",
        "What runs.",
        value=_labels(version=__version__, model=spec.name, backend=state.model.backend, precision=spec.precision),
    )
    started = state.started_unix_ns / NS_PER_S
    yield GaugeMetricFamily("fcn_edge_start_time_seconds", "Unix time of the start of the run.", value=started)
    yield GaugeMetricFamily("fcn_edge_viewers", "Viewers of the live page.", value=state.viewers)
    yield CounterMetricFamily("fcn_edge_sink_failures", "Outputs that have failed.", value=state.sink_failures)


def _of_sources(views: tuple[SourceView, ...]) -> Iterator[Metric]:
    info = InfoMetricFamily("fcn_edge_source", "Its address, without the password.", labels=["source"])
    fps = _gauge("frames_per_second", "Masks a second, over the last 5 s.")
    age = _gauge("age_seconds", "Time since the capture of the newest mask; absent before the first.")
    paused = _gauge("paused", "1 while its frames are not wanted, else 0.")
    states = _gauge("state", "1 for the state that it has, 0 for the others.", "state")
    grades = _gauge("grade", "1 for the grade that it has, 0 for the others; all 0 before it has one.", "grade")
    latency = HistogramMetricFamily("fcn_edge_latency_seconds", "Time from capture to mask.", labels=["source"])
    stages = HistogramMetricFamily("fcn_edge_stage_seconds", "Time in each stage.", labels=["source", "stage"])
    for view in views:
        told, label = view.status, view.status.label
        info.add_metric([label], _labels(uri=told.id))
        fps.add_metric([label], view.fps)
        if view.age_ns is not None:
            age.add_metric([label], view.age_ns / NS_PER_S)
        paused.add_metric([label], told.paused)
        for state in STATES:
            states.add_metric([label, state], state == told.state)
        for grade in GRADES:
            grades.add_metric([label, grade], grade == told.grade)
        _add(latency, [label], view.latency)
        for stage, buckets in view.stages.items():
            _add(stages, [label, stage], buckets)
    yield from (info, fps, age, paused, states, grades, latency, stages)
    for name, what, count in _COUNTERS:
        counter = _counter(name, what)
        for view in views:
            counter.add_metric([view.status.label], count(view))
        yield counter


def _of_encodings(encodings: Iterable[Encoding]) -> Iterator[Metric]:
    pictures = _counter("page_pictures", "Pictures that were encoded for the live page, once for all viewers.")
    seconds = _counter("page_encode_seconds", "Processor time of the thread that encodes them and packs their masks.")
    for encoding in encodings:
        pictures.add_metric([encoding.source], encoding.pictures)
        seconds.add_metric([encoding.source], encoding.cpu_ns / NS_PER_S)
    yield from (pictures, seconds)


def _counter(name: str, what: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"fcn_edge_source_{name}", what, labels=["source"])


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"fcn_edge_source_{name}", what, labels=["source", *labels])


def _add(family: HistogramMetricFamily, labels: list[str], buckets: Buckets) -> None:
    family.add_metric(labels, buckets.cumulative(), buckets.sum_seconds)


def _labels(**values: Any) -> dict[str, str]:
    """Values of labels: UTF-8 cannot hold the bytes of names that are none, which ``printable`` writes as escapes."""
    return {name: printable(str(value)) for name, value in values.items()}
