"""What Prometheus gets: by its own parser, by the rules that promtool checks, and against the tables of the docs."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from fcn_edge.errors import MachineError
from fcn_edge.runtime.events import SinkFailed, SourceChanged
from fcn_edge.serve.encoding import Encoding
from fcn_edge.serve.metrics import metrics_text
from fcn_edge.serve.state import RunState
from fcn_edge.version import __version__

from .runs import MS, Clock, S, Silent, frame_done, run_state

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
HOSTILE = '/data/a"b\\c\nd\udcff\u202e{}=,.mp4'
UNITS = ("seconds", "info", "total", "state", "grade", "paused", "viewers", "per_second")


def families(state: RunState) -> dict[str, Metric]:
    found = list(text_string_to_metric_families(metrics_text(state, [Encoding("front", 7, 30 * MS)]).decode("utf-8")))
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def values(state: RunState) -> dict[tuple[str, ...], float]:
    """Value of each series, by its name and its labels' values in the order of their names."""
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in families(state).values()
        for sample in family.samples
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def busy(clock: Clock) -> RunState:
    """A run of three sources, one of which has a name that is made to break things, and one that gave nothing yet."""
    front = Silent("rtsp://admin:secret@cam/front")
    front.grade, front.reconnects, front.stalls = "fair", 2, 3
    front.state = "stalled"
    state, _ = run_state(clock, front, Silent(HOSTILE), Silent("rtsp://cam/new"))
    for latency in (1, 3, 40, 3000):
        state.heard(frame_done(clock, "rtsp://admin:***@cam/front", latency_ms=latency, output_ms=0))
    state.heard(frame_done(clock, HOSTILE))
    state.heard(SourceChanged("rtsp://cam/new", "connecting"))
    state.heard(SinkFailed("out.mp4", MachineError("The disk is full.")))
    state.viewers = 2
    clock.now_ns += 500 * MS
    return state


def test_values_of_the_run(busy: RunState, clock: Clock) -> None:
    found = values(busy)
    assert found["fcn_edge_viewers",] == 2
    assert found["fcn_edge_sink_failures_total",] == 1
    assert found["fcn_edge_start_time_seconds",] == (clock.unix_ns() - 500 * MS) / S
    # by backend, model, precision, version
    assert found["fcn_edge_build_info", "fake", "fake", "fp32", __version__] == 1


def test_values_of_a_source(busy: RunState) -> None:
    found = values(busy)
    assert found["fcn_edge_source_info", "front", "rtsp://admin:***@cam/front"] == 1
    assert found["fcn_edge_source_frames_total", "front"] == 4
    assert found["fcn_edge_source_frames_per_second", "front"] == 4
    assert found["fcn_edge_source_age_seconds", "front"] == pytest.approx(3.5)
    assert found["fcn_edge_source_reconnects_total", "front"] == 2
    assert found["fcn_edge_source_stalls_total", "front"] == 3
    assert found["fcn_edge_source_dropped_total", "front"] == 0
    assert found["fcn_edge_source_late_total", "front"] == 0
    assert found["fcn_edge_source_paused", "front"] == 0
    assert found["fcn_edge_source_page_pictures_total", "front"] == 7
    assert found["fcn_edge_source_page_encode_seconds_total", "front"] == 0.03
    assert found["fcn_edge_source_state", "front", "stalled"] == 1
    assert sum(value for key, value in found.items() if key[:2] == ("fcn_edge_source_state", "front")) == 1
    assert found["fcn_edge_source_grade", "fair", "front"] == 1
    assert sum(value for key, value in found.items() if key[0] == "fcn_edge_source_grade") == 1
    assert ("fcn_edge_source_age_seconds", "new") not in found


def test_a_latency_on_a_bound_counts_up_to_it(busy: RunState) -> None:
    found = values(busy)
    buckets = {
        key[1]: value
        for key, value in found.items()
        if key[:1] == ("fcn_edge_latency_seconds_bucket",) and key[2] == "front"
    }
    assert (buckets["0.001"], buckets["0.002"], buckets["0.003"], buckets["0.033"]) == (1, 1, 2, 2)
    assert (buckets["0.05"], buckets["2"], buckets["+Inf"]) == (3, 3, 4)
    assert found["fcn_edge_latency_seconds_sum", "front"] == pytest.approx(3.044)
    assert found["fcn_edge_stage_seconds_sum", "front", "infer"] == pytest.approx(0.04)


def test_hostile_names_stay_one_label(busy: RunState) -> None:
    [uri] = [key[2] for key in values(busy) if key[0] == "fcn_edge_source_info" and key[1] not in ("front", "new")]
    assert uri == '/data/a"b\\c\\nd\\udcff\\u202e{}=,.mp4'
    lines = metrics_text(busy).decode("utf-8").splitlines()
    assert all(re.match(r"# (HELP|TYPE) \w+ |\w+(\{.*\})? \S+$", line) for line in lines)


def test_no_password_is_told(busy: RunState) -> None:
    assert b"secret" not in metrics_text(busy)


def test_a_source_that_is_removed_vanishes(clock: Clock) -> None:
    state, sources = run_state(clock, Silent("rtsp://cam/front"), Silent("rtsp://cam/rear"))
    state.heard(frame_done(clock, "rtsp://cam/rear"))
    assert b'"rear"' in metrics_text(state)
    sources.remove("rtsp://cam/rear")
    assert b"rear" not in metrics_text(state)
    sources.remove("rtsp://cam/front")
    assert families(state)["fcn_edge_source_frames"].samples == []


class TestRules:
    def test_each_has_help_and_type_before_its_values_once(self, busy: RunState) -> None:
        lines = metrics_text(busy).decode("utf-8").splitlines()
        helps = [line.split()[2] for line in lines if line.startswith("# HELP ")]
        types = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
        assert helps == types
        assert len(set(helps)) == len(helps)
        assert all(len(line.split(maxsplit=3)[3]) > 5 for line in lines if line.startswith("# HELP "))
        current = ""
        for line in lines:
            if line.startswith("#"):
                current = line.split()[2]
            else:
                name = re.match(r"\w+", line)
                assert name is not None
                assert re.sub(r"_(bucket|sum|count)$", "", name[0]) == re.sub(r"_(bucket|sum|count)$", "", current)

    def test_names(self, busy: RunState) -> None:
        for family in families(busy).values():
            exported = f"{family.name}_total" if family.type == "counter" else family.name
            assert re.fullmatch(r"fcn_edge_[a-z0-9_]*[a-z0-9]", exported)
            assert exported.endswith(UNITS)
            assert not re.search(r"milli|micro|minutes|_ms|percent|_(count|sum|bucket)$", exported)
            assert family.type in ("counter", "gauge", "histogram")
            assert exported.endswith("_total") == (family.type == "counter")
            for sample in family.samples:
                assert all(re.fullmatch(r"[a-z]+", label) for label in sample.labels)
                assert not {"instance", "job", "type"} & sample.labels.keys()

    def test_no_series_is_there_twice(self, busy: RunState) -> None:
        series = Counter(
            (sample.name, *sorted(sample.labels.items()))
            for family in families(busy).values()
            for sample in family.samples
        )
        assert max(series.values()) == 1

    def test_histograms_add_up(self, busy: RunState) -> None:
        histograms = [family for family in families(busy).values() if family.type == "histogram"]
        assert len(histograms) == 2
        for family in histograms:
            found: dict[tuple[tuple[str, str], ...], dict[str, list[tuple[float, float]]]] = {}
            for sample in family.samples:
                key = tuple(sorted(pair for pair in sample.labels.items() if pair[0] != "le"))
                bound = float(sample.labels.get("le", "nan"))
                kind = sample.name.removeprefix(family.name)
                found.setdefault(key, {}).setdefault(kind, []).append((bound, sample.value))
            for kinds in found.values():
                bounds = [bound for bound, _ in kinds["_bucket"]]
                counts = [count for _, count in kinds["_bucket"]]
                assert bounds == sorted(set(bounds))
                assert math.isinf(bounds[-1])
                assert (bounds[0], bounds[-2]) == (0.001, 2.0)
                assert counts == sorted(counts)
                assert counts[-1] == kinds["_count"][0][1]
                assert len(kinds["_sum"]) == 1

    def test_nothing_else_is_exported(self, busy: RunState) -> None:
        """The registry is the run's own: what other code of the process counts stays out."""
        assert all(name.startswith("fcn_edge_") for name in families(busy))


def test_the_docs_describe_what_is_exported_and_nothing_else(busy: RunState) -> None:
    table = re.findall(r"^\| `(fcn_edge_\w+)` \| (\w+) \|([^|]*)\|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in table}
    assert len(documented) == len(table)
    exported = {
        f"{name}_total" if family.type == "counter" else name: (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for name, family in families(busy).items()
    }
    assert documented == exported


def test_the_queries_of_the_docs_use_what_is_exported(busy: RunState) -> None:
    text = DOCS.read_text(encoding="utf-8")
    series = {sample.name for family in families(busy).values() for sample in family.samples}
    series |= {"fcn_edge_latency_seconds", "fcn_edge_stage_seconds", "fcn_edge_token", "fcn_edge_"}
    assert set(re.findall(r"\bfcn_edge_\w*", text)) <= series | {"fcn_edge"}
    for state in re.findall(r'state=~"([^"]*)"', text):
        known = {s.labels["state"] for s in families(busy)["fcn_edge_source_state"].samples}
        assert set(state.split("|")) <= known
