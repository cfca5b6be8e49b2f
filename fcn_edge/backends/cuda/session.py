"""Sessions whose frames the GPU preprocesses, infers and decodes; a backend gives only what runs the network.

A frame goes up as it was captured, one kernel brings it to the network's input, the network runs, one kernel decodes,
and the uint8 mask comes back: 0.5 MB where scores at full size would be 20. All of it is one CUDA graph where the
driver and the network allow that. Preprocessing on the GPU is the default because on boards, as others have measured at
1080p, the resize takes the processor longer than the network takes the GPU; ``preprocess_on="host"`` brings the very
pixels of every other backend, with OpenCV.

    preprocess   the calling thread copies the frame into page-locked memory, one buffer for each frame under way
    infer        enqueues everything that the GPU does, in order, on the session's stream
    postprocess  waits for it; the mask out of page-locked memory

So frame n + 1 is preprocessed and frame n - 1 handed on while the GPU has frame n.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import GpuTimes, Job, Session
from fcn_edge.backends.cuda.arrays import DeviceFrame, DeviceMask, device_frame, on_device
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.frame_work import FrameWork, Network
from fcn_edge.backends.cuda.objects import Graph, Stream, idle_afterwards
from fcn_edge.backends.cuda.output import NetworkOutput
from fcn_edge.backends.cuda.slot_pool import SlotLease, SlotPool
from fcn_edge.backends.cuda.slots import Slot, SlotKind, Source
from fcn_edge.backends.frame_buffer import host_frame
from fcn_edge.backends.host_session import check_labels, no_scores, wrong_size
from fcn_edge.backends.options import RUN_DEFAULTS, RunOptions
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.ops.confidence import decode_with_confidence
from fcn_edge.ops.decode import not_finite
from fcn_edge.ops.geometry import Placement, placement
from fcn_edge.ops.nearest import nearest
from fcn_edge.ops.preprocess import checked_frame, network_input

__all__ = ["CudaSession"]

_log = logging.getLogger(__name__)

_BESIDE = 2
"""Frames under way beside those that keep the GPU busy: one is being preprocessed, and one handed on."""

_MOST_SLOTS = 8
"""A stream of a file has so many frames between its stages at once; further slots are not kept."""


_Take = Callable[[SlotKind], SlotLease]


class CudaSession(Session):
    """A stream's view of an engine on the GPU.

    ``preprocess`` also takes arrays that lie on the GPU (``arrays``), and waits until they are copied, so that
    they are the caller's again when it returns, unless it is told not to. ``postprocess(job, device=True)`` leaves the
    mask there. A frame's memory is used again once its ``Job`` is gone.

    Args:
        spec: What the model is.
        size: ``(height, width)`` of the network's input.
        device: The GPU; it outlives the session.
        network: Runs on it; the session closes it, also when this fails.
        stream: The stream that ``network`` was made for; the session closes it, too.
        options: Whether the work is captured, and where frames of the host are brought to the network's size.

    Attributes:
        inbound: Handle of the stream that copies frames of the GPU into the session's memory.
        graphs: The last frame was launched as a CUDA graph; False before the first.
        capture_failure: Why a capture failed that the driver and the network allow, without its full stop; empty when
            none did.

    Raises:
        MachineError: There is too little memory, or the network does not run.
    """

    depth = 2  # while the GPU has a frame, the next one is enqueued behind it

    def __init__(
        self,
        spec: ModelSpec,
        size: Size,
        device: Device,
        network: Network,
        stream: Stream,
        options: RunOptions = RUN_DEFAULTS,
    ) -> None:
        self.spec = spec
        self.size = size
        self.closed = False
        self.graphs = False
        self.capture_failure = ""
        self._device = device
        self._network = network
        self._stream = stream
        self._source: Source = "image" if options.preprocess_on == "host" else "frame"
        self._to_capture = options.graphs
        with device.current(), ExitStack() as made:
            made.callback(stream.close)
            made.callback(network.close)
            self._work = FrameWork(device, spec, network)
            self._inbound = made.enter_context(device.stream())
            self.inbound = self._inbound.handle
            self._output = made.enter_context(NetworkOutput(device, stream, network, self._work))
            self._slots = made.enter_context(SlotPool(device, self._slot, _MOST_SLOTS))
            for used in (self._inbound, stream):
                made.callback(used.synchronize)
            self._warm_up()
            self._made = made.pop_all()

    @override
    def warm_up(self, frame_size: Size | None = None) -> None:
        """Also makes and captures what the frames under way will need, so that none of them waits for that."""
        self.check_open()
        place = placement(frame_size or self.size, self.size, self.spec.resize)
        with self._device.current():
            self._slots.make_ready(self._kind(self._source, place), self.depth + _BESIDE)
        super().warm_up(frame_size)

    @override
    def preprocess(self, frame: Any, *, wait: bool = True) -> Job:
        """Bring a ``(H, W, 3)`` uint8 BGR frame, of the host or on the GPU, into the session's memory.

        Args:
            frame: An array of the host, a ``FrameBuffer``, or what offers ``__cuda_array_interface__`` or DLPack.
            wait: Return when a frame on the GPU is copied. When False the copy is only enqueued, and nothing waits for
                it but the GPU: before you write into the frame, let your stream wait for ``inbound``, as with
                ``torch.cuda.current_stream().wait_stream(torch.cuda.ExternalStream(session.inbound))``. The session
                keeps the frame alive until then. Frames of the host are copied when this returns, whatever it says.

        Raises:
            FrameError: It is no such frame.
            UsageError: The session is closed.
            MachineError: There is too little memory.
        """
        self.check_open()
        started = time.perf_counter_ns()
        if on_device(frame):
            job = self._preprocessed_on_device(device_frame(frame, self.inbound, self._device.facts.index), wait)
        else:
            image = checked_frame(host_frame(frame))
            place = placement((image.shape[0], image.shape[1]), self.size, self.spec.resize)
            job = self._preprocessed(image, self._kind(self._source, place), self._slots.take)
        job.timing.preprocess = time.perf_counter_ns() - started
        return job

    @override
    def infer(self, job: Job) -> Job:
        self.check_inferable(job)
        slot: Slot = job.data.slot
        with self._device.current(), self._output.enqueueing, idle_afterwards(self._stream):
            if slot.graph is None and self._to_capture:
                self._slots.capture(slot.kind, self._captured)
            self.graphs = slot.graph is not None
            self._output.slot = None
            begun = time.perf_counter_ns()
            slot.begin()
            if slot.copied_from is not None and slot.arrived is not None:
                self._stream.wait(slot.arrived)
            self._stream.record(slot.started)
            if slot.graph is not None:
                self._stream.launch_graph(slot.graph)
            else:
                self._work.enqueue(self._stream, slot)
            self._stream.record(slot.done)
            slot.enqueue_ns = time.perf_counter_ns() - begun
            slot.pending = job.inferred = True
            self._output.slot = slot
        return job

    @overload
    def postprocess(self, job: Job, *, device: Literal[False] = False) -> NDArray[np.uint8]: ...
    @overload
    def postprocess(self, job: Job, *, device: Literal[True]) -> DeviceMask: ...
    @override
    def postprocess(self, job: Job, *, device: bool = False) -> NDArray[np.uint8] | DeviceMask:
        """Wait for an inferred frame; its mask, in the frame's own pixels.

        Args:
            job: What ``infer`` returned.
            device: Leave the mask on the GPU. Synchronize the stream that reads or copies it before you drop it: the
                next frame waits for none.

        Returns:
            ``(H, W)`` uint8, or the same on the GPU.

        Raises:
            UsageError: The job was not inferred, or the session is closed; or the mask is to stay on the GPU and the
                model ends in labels, which the host brings to the frame's size.
            ModelError: The scores hold NaN or infinity, or the labels an id of no class.
            MachineError: The GPU fails.
        """
        if device and self.spec.head != "scores":
            raise UsageError(
                f"{self.spec.name} ends in labels; masks of such models are made on the host.",
                "Export the checkpoint again with fcn-edge export --head scores.",
            )
        slot = self._finite(job)
        if device:
            return DeviceMask(slot.mask.pointer, job.place.frame_size, slot.pitch, job.data)
        started = time.perf_counter_ns()
        mask = slot.mask_array
        if self.spec.head == "labels":
            check_labels(mask, self.spec)
        labels = mask.copy() if self.spec.head == "scores" else nearest(mask, job.place.mapping(1), self.spec.void)
        job.timing.decode += time.perf_counter_ns() - started
        return labels

    @override
    def postprocess_with_confidence(
        self, job: Job, unknown_below: float | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        if self.spec.head != "scores":
            raise no_scores(self.spec)
        self._finite(job)
        started = time.perf_counter_ns()
        scores = self._output.scores_of(job.data.slot)
        result = decode_with_confidence(
            scores, job.place.mapping(self.spec.stride, self.spec.geometry), self.spec.void, unknown_below
        )
        job.timing.decode += time.perf_counter_ns() - started
        return result

    @override
    def wait(self, job: Job) -> None:
        self.check_inferred(job)
        slot: Slot = job.data.slot
        if not slot.pending:
            return
        with self._device.current():
            slot.wait()
            preprocess = slot.preprocessed.ns_since(slot.started)
            infer = slot.inferred.ns_since(slot.preprocessed)
            decode = slot.done.ns_since(slot.inferred)
            up = None if slot.uploaded is None else slot.uploaded.ns_since(slot.started)
            down = None if slot.computed is None else slot.done.ns_since(slot.computed)
        job.timing.preprocess += preprocess
        job.timing.infer, job.timing.decode = infer, decode
        compute = preprocess + infer + decode - (up or 0) - (down or 0)
        job.timing.gpu = GpuTimes(up, compute, down, slot.enqueue_ns)

    @override
    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.spec.head != "scores":
            raise no_scores(self.spec)
        self.check_open()
        image = checked_frame(image)
        if image.shape[:2] != self.size:
            raise wrong_size((image.shape[0], image.shape[1]), self.size)
        kind = self._kind("image", self._as_it_is)
        job = self.infer(self._preprocessed(image, kind, self._slots.take_aside))
        self.wait(job)
        return self._output.scores_of(job.data.slot)

    @override
    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        with self._device.current():
            self._made.close()

    def _preprocessed(self, frame: NDArray[np.uint8], kind: SlotKind, take: _Take) -> Job:
        lease = self._lease(kind, take)
        assert lease.slot.staged is not None
        target = lease.slot.staged.array
        if kind.source == "image":
            network_input(frame, kind.place, self.spec.fill_bgr, out=target.reshape(*self.size, 3))
        else:
            target.reshape(frame.shape)[...] = frame
        return Job(kind.place, lease)

    def _preprocessed_on_device(self, frame: DeviceFrame, wait: bool) -> Job:
        place = placement(frame.size, self.size, self.spec.resize)
        lease = self._lease(self._kind("device", place), self._slots.take)
        slot = lease.slot
        height, width = frame.size
        row = width * 3
        assert slot.arrived is not None
        with self._device.current(), idle_afterwards(self._inbound):
            if frame.stream:
                self._inbound.join(frame.stream)
            if frame.pitch == row:  # copies of rows may be refused at pitches that CUDA did not choose
                self._inbound.copy(slot.source_pointer, frame.pointer, row * height)
            else:
                self._inbound.copy_rows(slot.source_pointer, row, frame.pointer, frame.pitch, row, height)
            self._inbound.record(slot.arrived)
            if wait:
                slot.arrived.synchronize()
            else:
                slot.copied_from = frame.owner
        return Job(place, lease)

    def _kind(self, source: Source, place: Placement) -> SlotKind:
        return SlotKind(source, place, self.expects_confidence and self.spec.head == "scores")

    def _lease(self, kind: SlotKind, take: _Take) -> SlotLease:
        with self._device.current():
            return take(kind)

    def _slot(self, kind: SlotKind) -> Slot:
        decoded = self.spec.head == "scores"
        return Slot(
            self._device, kind, self._work.output_bytes, kind.place.frame_size if decoded else self.size, decoded
        )

    @property
    def _as_it_is(self) -> Placement:
        """Where a frame of the network's size lies that is to be neither cropped nor scaled."""
        return Placement(self.size, self.size, (0, 0, *self.size), self.size)

    def _warm_up(self) -> None:
        """Do all work once: networks allocate, and kernels load, at their first run, which cannot be captured."""
        lease = self._slots.take_aside(SlotKind("frame", self._as_it_is))
        with idle_afterwards(self._stream):
            lease.slot.begin()
            self._work.enqueue(self._stream, lease.slot)
            self._stream.record(lease.slot.done)
            lease.slot.done.synchronize()

    def _captured(self, slot: Slot) -> Graph | None:
        """The frame's work as a graph; None, said once, where it cannot be one."""
        try:
            reason = self._never_captured()
            if not reason:
                return self._stream.capture(lambda: self._work.enqueue(self._stream, slot))
        except MachineError as error:
            reason = self.capture_failure = error.message.rstrip(".")
        self._to_capture = False
        _log.info("%s runs without CUDA graphs: %s.", self.spec.name, reason)
        return None

    def _never_captured(self) -> str:
        """Why frames are not captured though they could be enqueued; empty where they can be."""
        if not self._device.has_graphs:
            return f"{self._device.facts.library} cannot capture them"
        if not self._network.capturable(self._stream.handle):
            return "the network's work cannot be captured"
        return ""

    def _finite(self, job: Job) -> Slot:
        """The slot of a frame that is done, when its scores are numbers."""
        self.wait(job)
        slot: Slot = job.data.slot
        if slot.flagged:
            raise not_finite()
        return slot
