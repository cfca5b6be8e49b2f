from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.runtime.events import Event, SinkFailed
from fcn_edge.runtime.outputs import Outputs
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, Sink, SinkContext


class Collected(Sink):
    """Keeps results, and takes some time for each."""

    def __init__(self, spend: Callable[[], None] = lambda: None) -> None:
        self.seen: list[int] = []
        self._spend = spend

    def write(self, result: Result) -> None:
        self.seen.append(result.index)
        self._spend()


@pytest.mark.parametrize(("max_age_ns", "second"), [(100, []), (200, [0]), (None, [0])])
def test_no_mask_that_grew_too_old_in_the_sink_before(
    make_result: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, max_age_ns: int | None, second: list[int]
) -> None:
    now = [50]
    monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
    slow, other = Collected(lambda: now.append(now.pop() + 100)), Collected()
    outputs = Outputs([slow, other], lambda _: None, max_age_ns)
    outputs.open(SinkContext(Overlays()))
    outputs.write(make_result(0))  # captured at 0
    assert (slow.seen, other.seen) == ([0], second)
    assert [report.dropped for report in outputs.reports()] == [0, 1 - len(second)]


@pytest.mark.parametrize("interrupted", [False, True])
def test_all_are_told_of_the_end_before_one_is_waited_for(monkeypatch: pytest.MonkeyPatch, interrupted: bool) -> None:
    told: list[tuple[str, str]] = []

    class Told(Collected):
        def finish(self, hurry: bool = False) -> None:
            told.append((self.name, "hurry" if hurry else "finish"))

        def close(self) -> None:
            told.append((self.name, "close"))

    def opened(text: str, context: SinkContext) -> Sink:
        sink = Told()
        sink.name = text
        return sink

    monkeypatch.setattr("fcn_edge.runtime.outputs.open_sink", opened)
    outputs = Outputs(["a", "b"], lambda _: None)
    outputs.open(SinkContext(Overlays()))
    outputs.close(hurry=interrupted)
    way = "hurry" if interrupted else "finish"
    assert told == [("a", way), ("b", way), ("b", "close"), ("a", "close")]
    outputs.close_what_is_left()
    assert len(told) == 4


def test_no_source_writes_over_the_file_of_another(tmp_path: Path) -> None:
    """As ``out-a.mp4`` of a source called ``a`` and ``out.mp4`` of one called ``a-a`` would."""
    events: list[Event] = []
    outputs = Outputs([f"{tmp_path}/out.mp4", f"{tmp_path}/out-a.mp4"], events.append)
    outputs.open_for("first", SinkContext(Overlays(), source="a"))
    outputs.open_for("second", SinkContext(Overlays(), source="a-a"))
    outputs.close()
    [failed] = [event for event in events if isinstance(event, SinkFailed)]
    assert failed.sink == f"{tmp_path}/out-a-a.mp4"
    assert "another source or sink already" in failed.error.message


def test_each_source_has_a_window_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.runtime.outputs.open_sink", lambda text, context: Collected())
    outputs = Outputs(["display"], lambda _: None)
    for source in ("a", "b"):
        outputs.open_for(source, SinkContext(Overlays(), source=source))
    assert outputs.error is None


def context_of(*reads: Path) -> SinkContext:
    return SinkContext(Overlays(), single=True, reads=frozenset(reads))


@pytest.mark.parametrize(("one", "other"), [("m/", "m/a.png"), ("m/a.png", "m/"), ("m", "m/../m/a.png")])
def test_the_overlay_of_an_image_is_not_written_over_its_mask(tmp_path: Path, one: str, other: str) -> None:
    (tmp_path / "m").mkdir()
    outputs = Outputs([f"{tmp_path}/{one}", f"{tmp_path}/{other}"], lambda _: None)
    with pytest.raises(UsageError, match="would write one file"):
        outputs.open(context_of(tmp_path / "a.jpg"))
    outputs.close()
    assert not list((tmp_path / "m").iterdir())


def test_the_overlay_of_an_image_may_lie_beside_its_mask(tmp_path: Path) -> None:
    outputs = Outputs([f"{tmp_path}/m/", f"{tmp_path}/m/overlay.png"], lambda _: None)
    outputs.open(context_of(tmp_path / "a.jpg"))
    outputs.close()
