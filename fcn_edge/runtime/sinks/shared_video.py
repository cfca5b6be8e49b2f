"""The one encode of a source's overlays, for all that send it on as it comes: hosted and pushed RTSP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import MachineError, needed_for
from fcn_edge.io.closeable import Closeable
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.signal import SignalWatch
from fcn_edge.runtime.sinks.encoders.base import Encoder
from fcn_edge.runtime.sinks.encoders.choice import Choice, chosen
from fcn_edge.runtime.sinks.encoders.published import PublishedEncoder
from fcn_edge.runtime.sinks.encoders.units import TICKS, AccessUnit, UnitEncoder
from fcn_edge.runtime.sinks.recording import unshared
from fcn_edge.runtime.sinks.stand_in import StandIn
from fcn_edge.runtime.sinks.video_clock import usual_rate

__all__ = ["SharedVideo", "Subscription", "streaming_choice"]

DRAWN_EVERY_NS = NS_PER_S
"""A picture that nobody looks at is drawn so often, to be there when somebody does."""
REPEATED_AFTER = 1.0
"""Seconds without a picture after which the last one is sent again: who joins waits no longer than that."""
NO_SIGNAL_EVERY = 0.2
"""Seconds from one picture without a signal to the next."""
SILENT_NS = 3 * NS_PER_S
"""After which a file that is written gives no pictures any more, and they are encoded here again."""
MOST_UNITS, MOST_BYTES = 120, 8 << 20
"""Access units since the last keyframe that are kept for who joins."""
STEP_NS = 1_000_000
"""Nanoseconds between two pictures, at least."""
CLOSE_TIMEOUT = 5.0
"""Seconds that a picture may take to encode when it is closed."""

Picture = tuple[NDArray[np.uint8], int]


class Subscription:
    """Somebody who gets all access units, from a keyframe on.

    Args:
        video: Where they come from.
        take: Called with each and with nanoseconds of the monotonic clock, in any thread; it must not wait.
    """

    def __init__(self, video: SharedVideo, take: Callable[[AccessUnit, int], None]) -> None:
        self._video = video
        self._take = take
        self._begun = False

    def give(self, unit: AccessUnit, time_ns: int) -> None:
        """Hand one over."""
        self._begun = self._begun or unit.keyframe
        if self._begun:
            self._take(unit, time_ns)

    def end(self) -> None:
        """Get none any more."""
        self._video.unsubscribe(self)


class SharedVideo(Closeable):
    """Overlays of one source as H.264, encoded once, and only while somebody takes it.

    Pictures are encoded in a thread of its own, the newest one only. Where a file is written of the same source
    (``feeder``), its encoder's packets are what subscribers get. While the source is away, they get pictures that say
    so.

    Args:
        overlay: Gives a result's overlay; called in the run's thread only.
        fps: Frames a second of the source; None when it has none.
        choose: Gives what encodes; called when the first picture is.
    """

    def __init__(
        self,
        overlay: Callable[[Result], NDArray[np.uint8]],
        fps: float | None = None,
        choose: Callable[[], Choice] | None = None,
    ) -> None:
        self._overlay = overlay
        self._fps = usual_rate(fps)
        self._choose = choose or streaming_choice
        self._watch = SignalWatch()
        self._stand_in = StandIn()
        self._stands_for: NDArray[np.uint8] | None = None
        self._changed = threading.Condition()
        self._epoch_ns = time.monotonic_ns()
        self._subscriptions: list[Subscription] = []
        self._group: list[tuple[AccessUnit, int]] = []
        self._group_bytes = 0
        self._last_ns = self._epoch_ns
        self._seen: Result | None = None
        self._drawn: Picture | None = None
        self._fresh = False
        self._has_feeder = self._feeds = False
        self._fed_ns = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._error: BaseException | None = None

    def heard(self, event: Event) -> None:
        """Take notice of what becomes of the source."""
        self._watch.heard(event)

    def show(self, result: Result) -> None:
        """Take a result; each of the sinks may give it.

        Raises:
            BaseException: What encoding it failed with.
        """
        if self._error is not None:
            raise self._error
        if result is self._seen:
            return
        self._seen = result
        self._watch.came(result)
        taken_ns = result.frame.captured_ns
        with self._changed:
            if self._drawn is None:
                self._fed_ns = time.monotonic_ns()  # a file is about to give what it makes of this one
            idle = not self._subscriptions or self._is_fed()
            if idle and self._drawn is not None and taken_ns - self._drawn[1] < DRAWN_EVERY_NS:
                return
        image = self._overlay(result)
        with self._changed:
            self._drawn, self._fresh = (image, taken_ns), True
            self._changed.notify_all()

    def subscribe(self, take: Callable[[AccessUnit, int], None]) -> Subscription:
        """Get the access units from now on: those since the last keyframe at once, where that is not long ago.

        Args:
            take: Called with each and with nanoseconds of the monotonic clock at which its picture was taken, in any
                thread; it must not wait.
        """
        subscription = Subscription(self, take)
        with self._changed:
            if self._thread is not None or self._is_fed():
                for unit, time_ns in self._group:
                    subscription.give(unit, time_ns)
            self._subscriptions.append(subscription)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="fcn-edge live video", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Give one no more."""
        with self._changed:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            self._changed.notify_all()

    def feeder(self) -> Callable[[Encoder], Encoder]:
        """Makes of the encoder of a file of this source one of which subscribers get what it makes, while it does.

        Of several files the first one's is it.
        """

        def shared(encoder: Encoder) -> Encoder:
            return PublishedEncoder(encoder, self._feed)

        with self._changed:
            if self._has_feeder:
                return unshared
            self._has_feeder = True
        return shared

    @override
    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._subscriptions.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_TIMEOUT)

    def _is_fed(self) -> bool:
        """Whether a file's encoder gives access units just now."""
        return self._has_feeder and time.monotonic_ns() - self._fed_ns < SILENT_NS

    def _feed(self, data: bytes, keyframe: bool, size: Size, time_ns: int) -> None:
        """Take what the encoder of a file made, in its thread."""
        with self._changed:
            if keyframe:
                self._feeds = True
            if self._feeds:  # else what was encoded here in between is another stream, which this unit does not go on
                self._fed_ns = time.monotonic_ns()
                self._publish(data, keyframe, size, time_ns)

    def _publish(self, data: bytes, keyframe: bool, size: Size, time_ns: int) -> None:
        time_ns = self._last_ns = max(time_ns, self._last_ns + STEP_NS)
        unit = AccessUnit(data, (time_ns - self._epoch_ns) * TICKS // NS_PER_S, keyframe, size)
        if keyframe:
            self._group, self._group_bytes = [], 0
        if keyframe or self._group:
            self._group.append((unit, time_ns))
            self._group_bytes += len(data)
            if len(self._group) > MOST_UNITS or self._group_bytes > MOST_BYTES:
                self._group = []
        for subscription in tuple(self._subscriptions):
            subscription.give(unit, time_ns)

    def _run(self) -> None:
        try:
            while self._has_work():
                with UnitEncoder(self._choose(), self._fps) as encoder:
                    while (picture := self._next()) is not None:
                        image, time_ns = picture
                        for unit in encoder.encode(image, max(time_ns - self._epoch_ns, 0)):
                            with self._changed:
                                shown_ns = self._epoch_ns + unit.ticks * NS_PER_S // TICKS
                                self._publish(unit.data, unit.keyframe, unit.size, shown_ns)
        except BaseException as error:  # whatever it is, the sinks are told: they would send nothing, and say nothing
            with self._changed:
                self._error, self._thread = error, None

    def _has_work(self) -> bool:
        """Wait until there is a picture to encode; False where nobody takes any, and the thread ends."""
        with self._changed:
            while True:
                if not self._subscriptions or self._closed:
                    self._thread = None
                    if not self._is_fed():
                        self._group = []
                    return False
                if not self._is_fed() and self._drawn is not None:
                    self._feeds, self._fresh, self._group = False, True, []
                    return True
                self._changed.wait(SILENT_NS / NS_PER_S / 3)

    def _next(self) -> Picture | None:
        """Wait for the next picture; None where it is not to be encoded here any more."""
        with self._changed:
            begun = time.monotonic()
            while self._subscriptions and not self._closed and not self._is_fed():
                assert self._drawn is not None
                image, taken_ns = self._drawn
                if self._fresh:
                    self._fresh = False
                    now_ns = time.monotonic_ns()  # a time of another clock would keep all later ones waiting
                    return image, min(max(taken_ns, now_ns - DRAWN_EVERY_NS), now_ns)
                away = self._watch.away_since_unix_ns
                left = begun + (REPEATED_AFTER if away is None else NO_SIGNAL_EVERY) - time.monotonic()
                if left > 0:
                    self._changed.wait(min(left, NO_SIGNAL_EVERY))
                elif away is None:
                    return image, time.monotonic_ns()
                else:
                    if image is not self._stands_for:
                        self._stand_in.follows(image)
                        self._stands_for = image
                    return self._stand_in.picture(away)[0], time.monotonic_ns()
        return None


def streaming_choice() -> Choice:
    """What encodes.

    Raises:
        MachineError: PyAV is not installed, or has no encoder of H.264 here.
    """
    with needed_for("Streaming H.264"):
        import av  # noqa: F401
    choice = chosen()
    if choice is None:
        raise MachineError(
            "PyAV was built without libx264 here.", "Take its wheel: pip install --force-reinstall --only-binary av av"
        )
    return choice
