"""Who gets which messages: viewers who join, keep up, fall behind and go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

pytest.importorskip("starlette")

from starlette.websockets import WebSocketDisconnect

from fcn_edge.serve import viewers as module
from fcn_edge.serve.messages import Message
from fcn_edge.serve.viewers import Viewers


class Browser:
    """The other end of a WebSocket, without a network."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.statuses: list[str] = []
        self.closed: int | None = None
        self.reads = asyncio.Event()
        self.reads.set()
        self._said: asyncio.Queue[str | None] = asyncio.Queue()

    def say(self, text: str) -> None:
        self._said.put_nowait(text)

    def watch(self, *numbers: int) -> None:
        self.say(json.dumps({"watch": numbers}))

    def go(self) -> None:
        self._said.put_nowait(None)

    async def accept(self) -> None:
        pass

    async def receive_text(self) -> str:
        said = await self._said.get()
        if said is None:
            raise WebSocketDisconnect
        return said

    async def send_bytes(self, data: bytes) -> None:
        await self.reads.wait()
        self.got.append(data)

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        self.statuses.append(text)

    async def close(self, code: int) -> None:
        self.closed = code


class Room:
    """Viewers and their browsers."""

    def __init__(self) -> None:
        self.watched: list[frozenset[int]] = []
        self.viewers = Viewers(lambda history: f"status {history}", self.watched.append)
        self.tasks: list[asyncio.Task[None]] = []

    async def enter(self, *numbers: int) -> Browser:
        browser = Browser()
        self.tasks.append(asyncio.create_task(self.viewers.serve(browser)))  # type: ignore[arg-type]
        if numbers:
            browser.watch(*numbers)
        await settled()
        return browser

    async def publish(self, *messages: Message) -> None:
        for message in messages:
            self.viewers.publish(message)
            await settled()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def inside() -> None:
            room = Room()
            await test(room)
            for task in room.tasks:
                task.cancel()
            await asyncio.gather(*room.tasks, return_exceptions=True)

        asyncio.run(inside())

    run.__name__ = test.__name__  # type: ignore[attr-defined]
    return run


def init(source: int = 1, text: str = "init") -> Message:
    return Message(source, text.encode(), init=True)


def key(text: str, source: int = 1) -> Message:
    return Message(source, text.encode(), keyframe=True)


def other(text: str, source: int = 1) -> Message:
    return Message(source, text.encode())


@in_a_room
async def test_who_joins_begins_with_the_newest_keyframe(room: Room) -> None:
    first = await room.enter(1)
    await room.publish(init(), key("k1"), other("a"), other("b"), key("k2"), other("c"))
    second = await room.enter(1)
    await room.publish(other("d"))
    assert first.got == [b"init", b"k1", b"a", b"b", b"k2", b"c", b"d"]
    assert second.got == [b"init", b"k2", b"c", b"d"]


@in_a_room
async def test_nobody_gets_what_is_not_seen(room: Room) -> None:
    browser = await room.enter(2)
    await room.publish(init(), key("k1"), init(2, "init 2"), key("k2", 2))
    assert browser.got == [b"init 2", b"k2"]
    assert room.watched == [frozenset({2})]


@in_a_room
async def test_a_source_is_watched_while_somebody_sees_it(room: Room) -> None:
    one, two = await room.enter(1, 2), await room.enter(2)
    one.watch()
    await settled()
    two.go()
    await settled()
    assert room.watched == [frozenset({1, 2}), frozenset({2}), frozenset()]
    assert len(room.viewers) == 1


@in_a_room
async def test_who_comes_back_after_all_were_gone_gets_the_init_segment_again(room: Room) -> None:
    browser = await room.enter(1)
    await room.publish(init(), key("k1"), other("a"))
    browser.watch()
    await settled()
    await room.publish(other("b"))
    browser.watch(1)
    await settled()
    await room.publish(other("c"), key("k2"), other("d"))
    assert browser.got == [b"init", b"k1", b"a", b"init", b"k2", b"d"]


@in_a_room
async def test_a_slow_viewer_goes_on_with_a_keyframe_and_the_others_lose_nothing(room: Room) -> None:
    slow, quick = await room.enter(1), await room.enter(1)
    await room.publish(init(), key("k1"))
    slow.reads.clear()
    many = [other(str(number)) for number in range(module.MOST_WAITING + 20)]
    await room.publish(*many, key("k2"), other("end"))
    slow.reads.set()
    await settled()
    assert quick.got == [b"init", b"k1", *(one.data for one in many), b"k2", b"end"]
    assert slow.got == [b"init", b"k1", b"0", b"k2", b"end"]


@in_a_room
async def test_a_silent_viewer_holds_bounded_memory(room: Room) -> None:
    silent = await room.enter(1)
    silent.reads.clear()
    await room.publish(init())
    for number in range(50):
        await room.publish(Message(1, bytes(1 << 20), keyframe=number % 25 == 0))
    [viewer] = room.viewers._viewers
    assert sum(len(one.data) for one in viewer._waiting if isinstance(one, Message)) <= module.MOST_WAITING_BYTES
    assert [one.init for one in viewer._waiting if isinstance(one, Message)].count(True) <= 1


@in_a_room
async def test_one_who_names_ever_other_sources_holds_bounded_memory(room: Room) -> None:
    fickle = await room.enter(1)
    for number in range(50):
        fickle.watch(*range(64 * number, 64 * number + 64))
        await settled()
    [viewer] = room.viewers._viewers
    assert len(viewer.watched) == 64
    assert len(viewer._needs_keyframe) == 64


def test_a_viewer_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK", 0.05)
    monkeypatch.setattr(module, "STATUS_EVERY", 0.02)

    async def test(room: Room) -> None:
        silent, quick = await room.enter(1), await room.enter(1)
        silent.reads.clear()
        await room.publish(init(), key("k1"))
        for _ in range(100):
            await asyncio.sleep(0.02)
            if len(room.viewers) == 1:
                break
        assert len(room.viewers) == 1
        assert quick.got == [b"init", b"k1"]
        assert quick.statuses[:2] == ["status True", "status False"]
        assert silent.closed == 1013

    in_a_room(test)()


@pytest.mark.parametrize(
    "said", ["", "no json", "[]", "{}", '{"watch": 1}', '{"watch": ["1"]}', '{"watch": [true]}', '{"watch": [1.5]}',
             json.dumps({"watch": list(range(65))}), "[" * 5000]
)  # fmt: skip
def test_what_makes_no_sense_ends_the_connection(said: str) -> None:
    async def test(room: Room) -> None:
        browser = await room.enter()
        browser.say(said)
        await settled()
        assert browser.closed == 1008
        assert len(room.viewers) == 0

    in_a_room(test)()


@in_a_room
async def test_all_are_told_when_the_run_is_over(room: Room) -> None:
    browsers = [await room.enter(1), await room.enter()]
    await room.viewers.close()
    assert [browser.closed for browser in browsers] == [1001, 1001]


def test_nothing_is_sent_when_nobody_ever_came() -> None:
    sent: Any = Viewers(lambda _: "", lambda _: None).publish(init())
    assert sent is None


@in_a_room
async def test_a_source_that_is_gone_leaves_nothing_behind(room: Room) -> None:
    await room.enter(1)
    for number in range(1, 50):
        await room.publish(init(number), key("k", number))
        room.viewers.forget(number)
        await settled()
    assert not room.viewers._groups


@in_a_room
async def test_what_a_viewer_names_is_forgotten_with_it(room: Room) -> None:
    browser = await room.enter()
    for first in range(0, 6400, 64):
        browser.watch(*range(first, first + 64))
        await settled()
    browser.watch()
    await settled()
    [viewer] = room.viewers._viewers
    assert not viewer._needs_keyframe


@in_a_room
async def test_a_stream_without_keyframes_holds_bounded_memory(room: Room) -> None:
    await room.enter(1)
    await room.publish(init(), key("k1"))
    for _ in range(3 * module.LONGEST_GROUP):
        room.viewers.publish(other("a"))
    await settled()
    assert len(room.viewers._groups[1]) <= module.LONGEST_GROUP
    late = await room.enter(1)
    await room.publish(other("b"), key("k2"), other("c"))
    assert late.got[0] == b"init"
    assert late.got[-2:] == [b"k2", b"c"]


@in_a_room
async def test_who_joins_many_sources_begins_with_a_picture_of_each(room: Room) -> None:
    sources = range(1, 17)
    first = await room.enter(*sources)
    for source in sources:
        await room.publish(init(source), key("k", source), *(other("a", source) for _ in range(24)))
    second = await room.enter(*sources)
    await settled()
    assert len(second.got) == len(first.got) == 16 * 26


@in_a_room
async def test_who_is_interrupted_while_it_leaves_is_gone(room: Room) -> None:
    await room.enter(1)
    [task] = room.tasks
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await settled()
    assert len(room.viewers) == 0
    assert room.watched == [frozenset({1}), frozenset()]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_every_picture_that_is_sent_can_be_shown(seed: int) -> None:
    random = Random(seed)

    async def test(room: Room) -> None:
        browsers = [await room.enter()]
        encodes = dict.fromkeys((1, 2, 3), 0)
        counts = dict.fromkeys((1, 2, 3), -1)

        def message(source: int, kind: str) -> Message:
            """Of an encode that begins with an init segment and goes on with a keyframe; each has its position."""
            if kind == "init":
                encodes[source], counts[source] = encodes[source] + 1, -1
                return init(source, f"{source} init {encodes[source]} 0")
            counts[source] += 1
            is_key = kind == "key" or counts[source] == 0
            name = f"{source} {'key' if is_key else 'other'} {encodes[source]} {counts[source]}"
            return key(name, source) if is_key else other(name, source)

        for source in encodes:
            await room.publish(message(source, "init"))
        for _ in range(400):
            act = random.random()
            if act < 0.7:
                kind = random.choices(("other", "key", "init"), (20, 3, 1))[0]
                for _ in range(random.choice((1, 1, 1, 60))):
                    room.viewers.publish(message(random.choice((1, 2, 3)), kind if kind == "init" else "other"))
                room.viewers.publish(message(random.choice((1, 2, 3)), kind))
            elif act < 0.75 and len(browsers) < 8:
                browsers.append(await room.enter(*random.sample((1, 2, 3), random.randint(0, 3))))
            elif browsers:
                browser = random.choice(browsers)
                if act < 0.85:
                    browser.watch(*random.sample((1, 2, 3), random.randint(0, 3)))
                elif act < 0.95:
                    (browser.reads.clear if browser.reads.is_set() else browser.reads.set)()
                else:
                    browser.go()
                    browsers.remove(browser)
                    check(browser)
            for _ in range(random.randint(0, 5)):
                await asyncio.sleep(0)
        for browser in browsers:
            browser.reads.set()
            browser.watch(1, 2, 3)
            await settled()
        last = [message(source, "key") for source in (1, 2, 3)]
        await room.publish(*last)
        await settled()
        for browser in browsers:
            check(browser)
            assert {one.data for one in last} <= set(browser.got)
        assert all(len(group) <= module.LONGEST_GROUP for group in room.viewers._groups.values())

    def check(browser: Browser) -> None:
        can_show: dict[str, tuple[str, int] | None] = {}
        for data in browser.got:
            source, kind, encode, position = data.decode().split()
            before = can_show.get(source)
            if kind == "init":
                can_show[source] = encode, -1
                continue
            assert before is not None
            assert before[0] == encode
            assert kind == "key" or (before[1] >= 0 and int(position) == before[1] + 1)
            can_show[source] = encode, int(position)

    in_a_room(test)()
