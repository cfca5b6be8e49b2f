"""The slots of a session, which are lent to one frame after another."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack

from typing_extensions import override

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.errors import GpuMemoryError
from fcn_edge.backends.cuda.objects import Graph
from fcn_edge.backends.cuda.slots import Slot, SlotKind
from fcn_edge.io.closeable import Closeable

__all__ = ["SlotLease", "SlotPool"]

_log = logging.getLogger(__name__)


class SlotLease:
    """A slot lent to a frame. It goes back when the lease is collected, so also when a frame is given up midway."""

    def __init__(self, slot: Slot, give_back: Callable[[Slot], None]) -> None:
        self.slot = slot
        weakref.finalize(self, give_back, slot).atexit = False


class SlotPool(Closeable):
    """Slots of one session: as many as frames are under way at once, all of the size that frames have now.

    Any thread may take; slots come back in whatever thread collects their lease.

    Args:
        device: The GPU.
        make: Makes a slot, the GPU being current.
        most: Slots that are kept. Frames beyond them have slots, too, which are given up once they are free.
    """

    def __init__(self, device: Device, make: Callable[[SlotKind], Slot], most: int) -> None:
        self._device = device
        self._make = make
        self._most = most
        self._free: deque[Slot] = deque()  # leases add to it without the lock: they may end within any call
        self._all: list[Slot] = []
        self._lock = threading.Lock()

    def take(self, kind: SlotKind) -> SlotLease:
        """A free slot for the next frame of the stream, or a new one; free slots of other kinds are given up.

        The GPU must be current.

        Raises:
            MachineError: There is not enough memory, or the GPU fails.
        """
        with self._lock:
            slot = self._found(kind, forget_others=True) or self._added(kind)
            lease = self._lent(slot)
            while len(self._all) > self._most and self._free:
                self._forget(self._free.popleft())
        slot.wait()  # its frame may have been given up with its work still enqueued
        return lease

    def take_aside(self, kind: SlotKind) -> SlotLease:
        """A slot for a frame that does not belong to the stream, whose slots stay as they are; else as ``take``."""
        with self._lock:
            slot = self._found(kind, forget_others=False) or self._added(kind)
            lease = self._lent(slot)
        slot.wait()
        return lease

    def make_ready(self, kind: SlotKind, count: int) -> None:
        """Make slots before frames need them, so that none waits for memory. The GPU must be current.

        Args:
            kind: Their kind; free slots of other kinds are given up.
            count: As many are there afterwards, or fewer where there is no memory for them.

        Raises:
            MachineError: The GPU fails.
        """
        with self._lock:
            slot = self._found(kind, forget_others=True)
            if slot is not None:
                self._free.append(slot)
            missing = count - sum(slot.kind == kind for slot in self._all)
            try:
                for _ in range(missing):
                    self._free.append(self._added(kind))
            except GpuMemoryError as error:  # a frame that needs one more will fail by itself
                _log.info("Slots for fewer frames at once than usual: %s", error.message)

    def capture(self, kind: SlotKind, work: Callable[[Slot], Graph | None]) -> None:
        """Give every slot of a kind its graph, up to the first that gets none.

        Args:
            kind: Whose slots, lent or free.
            work: Makes the graph; None where there cannot be one.
        """
        with self._lock:  # none of them is given up meanwhile
            for slot in self._all:
                if slot.kind == kind and slot.graph is None:
                    slot.graph = work(slot)
                    if slot.graph is None:
                        return

    def _found(self, kind: SlotKind, forget_others: bool) -> Slot | None:
        """The slot of a kind that is free for the longest time."""
        found: Slot | None = None
        for _ in range(len(self._free)):
            slot = self._free.popleft()
            if found is None and slot.kind == kind:
                found = slot
            elif forget_others and slot.kind != kind:
                self._forget(slot)
            else:
                self._free.append(slot)
        return found

    def _added(self, kind: SlotKind) -> Slot:
        slot = self._make(kind)
        self._all.append(slot)
        return slot

    def _lent(self, slot: Slot) -> SlotLease:
        return SlotLease(slot, self._free.append)

    def _forget(self, slot: Slot) -> None:
        self._all.remove(slot)
        with slot:  # it is closed also when the wait fails
            slot.wait()

    @override
    def close(self) -> None:
        with self._lock:
            slots, self._all = self._all, []
        self._free.clear()
        with self._device.current(), ExitStack() as closing:
            for slot in slots:
                closing.callback(slot.close)
