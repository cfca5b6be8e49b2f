from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.source_set import Sources
from fcn_edge.testing.engine import FakeSession

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeSource = Callable[..., Any]


def images(count: int | None = None) -> Iterator[NDArray[np.uint8]]:
    return itertools.islice(itertools.repeat(np.full((40, 60, 3), 100, np.uint8)), count)


@pytest.fixture
def named(listed_source: MakeSource) -> Callable[..., Any]:
    """A source of so many images, or without end, of a name."""

    def make(name: str, count: int | None = None) -> Any:
        source = listed_source(images(count))
        source.address = source.address.parse(name)
        return source

    return make


def run_through(
    sources: Sources, each: Callable[[str], None] = lambda name: None, before: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Frames of each source; ``before`` is called when all are there and nothing runs yet."""
    counts: dict[str, int] = {}
    pipeline = Pipeline(FakeSession, on_end=lambda feed, error: sources.ended(feed).close())
    with pipeline:
        sources.attach(pipeline)
        before()
        for result in pipeline:
            counts[result.source] = counts.get(result.source, 0) + 1
            each(result.source)
        sources.detach()
    return counts


def test_all_are_run_to_their_ends(named: MakeSource) -> None:
    sources = Sources(named("a", 3), named("b", 5))
    assert list(sources) == ["a", "b"]
    assert sources.states() == {"a": "idle", "b": "idle"}
    assert run_through(sources) == {"a": 3, "b": 5}
    assert len(sources) == 0


def test_one_that_comes_later_runs_too(named: MakeSource) -> None:
    sources = Sources(named("a", 5))

    def add(_name: str) -> None:
        if "b" not in added:
            added.append(sources.add(named("b", 4)))

    added: list[str] = []
    assert run_through(sources, add) == {"a": 5, "b": 4}


def test_one_that_is_removed_gives_no_more(named: MakeSource) -> None:
    sources = Sources(named("a"), named("b", 300))

    def remove(name: str) -> None:
        if name == "a" and "a" in sources:
            sources.remove("a")

    counts = run_through(sources, remove)
    assert counts["b"] == 300
    assert counts["a"] < 10


def test_one_that_is_removed_before_anything_runs_gives_nothing(named: MakeSource) -> None:
    sources = Sources(named("a"), named("b", 3))
    assert run_through(sources, before=lambda: sources.remove("a")) == {"b": 3}


def test_one_that_is_paused_waits(named: MakeSource) -> None:
    sources = Sources(named("a", 20), named("b", 200))
    sources.pause("a")
    seen: list[str] = []

    def resume(name: str) -> None:
        seen.append(name)
        if len(seen) == 100:
            assert "a" not in seen
            sources.resume("a")

    assert run_through(sources, resume) == {"a": 20, "b": 200}


def test_a_set_that_stays_waits_for_more_until_it_is_closed(named: MakeSource) -> None:
    sources = Sources(named("a", 2), stay=True)

    def steer() -> None:
        while "a" in sources:
            threading.Event().wait(0.01)
        sources.add(named("b", 3))
        sources.close()

    thread = threading.Thread(target=steer)
    thread.start()
    assert run_through(sources) == {"a": 2, "b": 3}
    thread.join()


def test_an_empty_set_that_is_closed_ends_at_once() -> None:
    sources = Sources(stay=True)
    timer = threading.Timer(0.05, sources.close)
    timer.start()
    assert run_through(sources) == {}
    timer.join()


def test_a_source_that_the_run_made_is_closed_by_it(video: Path, named: MakeSource) -> None:
    given = named("given", 2)
    sources = Sources(video, given)
    assert run_through(sources) == {str(video): 20, "given": 2}
    assert not given.closed


def test_a_name_is_there_once(named: MakeSource, video: Path) -> None:
    sources = Sources(video)
    with pytest.raises(UsageError, match="there already"):
        sources.add(video)
    sources.remove(str(video))
    sources.add(video)


def test_a_name_that_is_not_there_says_which_are(named: MakeSource) -> None:
    sources = Sources(named("a"))
    for act in (sources.remove, sources.pause, sources.resume):
        with pytest.raises(UsageError, match="no source 'x'") as caught:
            act("x")
        assert caught.value.fix == "Those that are there: a."


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file"):
        Sources(tmp_path / "none.mp4")


def test_two_runs_at_once_are_refused(named: MakeSource) -> None:
    sources = Sources(named("a", 1))
    with Pipeline(FakeSession) as first, Pipeline(FakeSession) as second:
        sources.attach(first)
        with pytest.raises(UsageError, match="Another run"):
            sources.attach(second)


def test_many_that_come_and_go_leave_nothing(named: MakeSource) -> None:
    sources = Sources(named("base"))
    threads: list[int] = []

    def change(name: str) -> None:
        guest = f"guest {len(threads)}"
        if name == guest:
            sources.remove(guest)
            threads.append(threading.active_count())
            if len(threads) == 200:
                sources.remove("base")
        elif len(threads) < 200 and guest not in sources:
            sources.add(named(guest))

    run_through(sources, change)
    assert len(threads) == 200
    assert max(threads) <= min(threads) + 4
    assert len(sources) == 0


def test_skews_are_told_while_a_run_goes_on(named: MakeSource) -> None:
    cameras = [named("front"), named("rear"), named("silent")]
    sources = Sources(*cameras)
    assert sources.skews_ms() == {"front": None, "rear": None, "silent": None}
    now, unix = time.monotonic_ns(), time.time_ns()
    for camera, seconds in zip(cameras, (3600, 7200), strict=False):
        camera.clock.add(unix + seconds * 1_000_000_000, now)
    seen: list[dict[str, float | None]] = []

    def look(_name: str) -> None:
        if not seen:
            seen.append(sources.skews_ms())
            for name in sources:
                sources.remove(name)

    run_through(sources, look)
    # each is read at a moment of its own, between which a busy machine may wait
    half = 1_800_000
    assert seen[0] == {
        "front": pytest.approx(-half, abs=60_000),
        "rear": pytest.approx(half, abs=60_000),
        "silent": None,
    }
