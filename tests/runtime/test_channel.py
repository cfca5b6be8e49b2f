from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable

import pytest

from fcn_edge.runtime.channel import Channel

PATIENCE = 60.0
"""Seconds after which a thread that should have ended counts as stuck."""


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def joined(thread: threading.Thread) -> bool:
    thread.join(PATIENCE)
    return not thread.is_alive()


def test_gives_items_in_order_and_then_ends() -> None:
    channel: Channel[int] = Channel(2)

    def write() -> None:
        for number in range(1000):
            assert channel.put(number)
        channel.end()

    writer = in_thread(write)
    assert list(channel) == list(range(1000))
    assert joined(writer)
    assert channel.dropped == 0


def test_gives_what_waits_before_it_raises_the_writers_error() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.put(2)
    channel.end(ZeroDivisionError("the writer's"))
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError, match="the writer's"):
        seen.extend(channel)
    assert seen == [1, 2]


def test_holds_no_more_than_its_capacity() -> None:
    channel: Channel[int] = Channel(3)
    written: list[int] = []
    full = threading.Semaphore(0)

    def write() -> None:
        for number in range(10):
            channel.put(number)
            written.append(number)
            full.release()
        channel.end()

    writer = in_thread(write)
    for _ in range(3):
        full.acquire()
    # the fourth put waits: it can only end after something was read
    reader = iter(channel)
    for expected in range(10):
        assert len(written) <= expected + 3
        assert next(reader) == expected
        if expected < 7:
            full.acquire()
    assert joined(writer)


def test_stop_wakes_a_writer_that_waits_and_refuses_the_rest() -> None:
    channel: Channel[int] = Channel(1)
    outcome: list[bool] = []
    first = threading.Event()

    def write() -> None:
        outcome.append(channel.put(0))
        first.set()
        outcome.append(channel.put(1))
        outcome.append(channel.put(2))

    writer = in_thread(write)
    first.wait()
    channel.stop()
    assert joined(writer)
    assert outcome == [True, False, False]


def test_stop_may_come_before_everything_and_twice() -> None:
    channel: Channel[int] = Channel(2)
    channel.stop()
    channel.stop()
    assert not channel.put(1)


def test_newest_drops_the_oldest_and_never_waits() -> None:
    channel: Channel[int] = Channel(2, newest=True)
    for number in range(10):
        assert channel.put(number)
    channel.end()
    assert channel.dropped == 8
    assert list(channel) == [8, 9]


def test_newest_gives_every_item_to_a_reader_that_keeps_up() -> None:
    channel: Channel[int] = Channel(1, newest=True)
    reader = iter(channel)
    for number in range(100):
        channel.put(number)
        assert next(reader) == number
    assert channel.dropped == 0


def test_newest_accounts_for_every_item_between_threads() -> None:
    channel: Channel[int] = Channel(1, newest=True)

    def write() -> None:
        for number in range(20_000):
            channel.put(number)
        channel.end()

    writer = in_thread(write)
    seen = list(channel)
    assert joined(writer)
    assert seen == sorted(set(seen))
    assert seen[-1] == 19_999
    assert len(seen) + channel.dropped == 20_000


def test_needs_room_for_one() -> None:
    with pytest.raises(ValueError, match="1 item or more"):
        Channel(0)


@pytest.mark.parametrize("seed", range(60))
def test_a_chain_always_ends_whichever_part_fails_or_leaves(seed: int) -> None:
    rng = random.Random(seed)
    total = rng.randrange(0, 200)
    newest = rng.random() < 0.3
    breaks = {stage: rng.randrange(0, 200) for stage in ("first", "second", "third") if rng.random() < 0.5}
    first: Channel[int] = Channel(rng.randrange(1, 4), newest=newest)
    second: Channel[int] = Channel(rng.randrange(1, 4))

    def start() -> None:
        try:
            for number in range(total):
                if breaks.get("first") == number:
                    raise KeyError("first")
                if not first.put(number):
                    break
            first.end()
        except KeyError as error:
            first.end(error)

    def middle() -> None:
        try:
            for count, number in enumerate(first):
                if breaks.get("second") == count:
                    raise KeyError("second")
                if not second.put(number):
                    break
            second.end()
        except KeyError as error:
            second.end(error)
        finally:
            first.stop()

    threads = [in_thread(start), in_thread(middle)]
    seen: list[int] = []
    failed = ""
    try:
        for number in second:
            if breaks.get("third") == len(seen):
                break
            seen.append(number)
    except KeyError as error:
        failed = error.args[0]
    finally:
        first.stop()
        second.stop()
    assert all(joined(thread) for thread in threads)
    assert failed in ("", *breaks)
    if not newest:
        assert seen == list(range(len(seen)))
        assert len(seen) == min([total, *breaks.values()])


def test_take_waits_no_longer_than_its_time() -> None:
    channel: Channel[int] = Channel(1)
    with pytest.raises(queue.Empty):
        channel.take(0.01)
    channel.put(5)
    assert channel.take(0.01) == 5
    assert channel.put(6)  # the token came back
    channel.end()
    assert channel.take() == 6
    assert channel.take() is None


def test_take_raises_the_writers_error() -> None:
    channel: Channel[int] = Channel(1)
    channel.end(ZeroDivisionError("the writer's"))
    with pytest.raises(ZeroDivisionError, match="the writer's"):
        channel.take(1.0)


def test_says_whether_it_was_stopped() -> None:
    channel: Channel[int] = Channel(1)
    assert not channel.stopped
    channel.stop()
    assert channel.stopped


def test_says_whether_a_put_would_wait() -> None:
    channel: Channel[int] = Channel(2)
    assert not channel.full
    channel.put(1)
    assert not channel.full
    channel.put(2)
    assert channel.full
    assert channel.take() == 1
    assert not channel.full
