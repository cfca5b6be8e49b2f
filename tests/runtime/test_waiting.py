from __future__ import annotations

import queue
import threading

import pytest

from fcn_edge.runtime.waiting import item_within


@pytest.mark.parametrize("timeout", [1e-9, 1e-7, 1e-6, 1e-5, 0.0, -1.0])
def test_ends_however_short_the_time_is(timeout: float) -> None:
    """``SimpleQueue.get`` itself hangs here within a few attempts."""
    for _ in range(2000):
        items: queue.SimpleQueue[int] = queue.SimpleQueue()
        with pytest.raises(queue.Empty):
            item_within(items, timeout)
        items.put(1)
        assert item_within(items, timeout) == 1
        with pytest.raises(queue.Empty):
            item_within(items, timeout)


@pytest.mark.parametrize("timeout", [30.0, None])
def test_waits_for_what_comes_meanwhile(timeout: float | None) -> None:
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    timer = threading.Timer(0.05, items.put, [7])
    timer.start()
    assert item_within(items, timeout) == 7
    timer.join()
