"""What NVIDIA's own bindings pass to the driver: the calls of a session's frames, their order and their arguments."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import Launch, decode_launch, preprocess_launch
from fcn_edge.testing.engine import fake_spec

from .conftest import Played
from .logged import Call, calls_of
from .scenes import SIZE

pytestmark = pytest.mark.system

PORTABLE, DEVICEMAP = 1, 2
UNIFIED = "4"
HEIGHT, WIDTH, PITCH = 60, 100, 112
FRAME, MASK = HEIGHT * WIDTH * 3, HEIGHT * PITCH + 4

CURRENT = {"cuCtxPushCurrent", "cuCtxPopCurrent"}
REPLAY = ["cuEventRecord", "cuGraphLaunch", "cuEventRecord"]


def phase(played: Played, gpu: str, name: str) -> list[Call]:
    """The calls of a phase, all of which were done, without those that make the GPU current."""
    calls = calls_of(played.directory / f"{gpu}-{name}.log")
    assert [call for call in calls if call.result] == []
    return [call for call in calls if call.name not in CURRENT]


def everything(played: Played, gpu: str) -> list[Call]:
    lent = [f"{name}{what}" for name in ("lent0", "lent5", "handed on") for what in ("", " inferred")]
    names = ["open", "preprocess", "infer", "postprocess", "frame2", "frame3", *lent, "warm up", "steady", "close"]
    return [call for name in names for call in phase(played, gpu, name)]


gpus = pytest.mark.parametrize("gpu", ["board", "card"])


@gpus
def test_streams_events_and_memory_are_made_with_these_flags(played: Played, gpu: str) -> None:
    calls = everything(played, gpu)
    flags = {
        name: {call.values["flags"] for call in calls if call.name == name}
        for name in ("cuStreamCreate", "cuEventCreate")
    }
    # a stream that does not wait for the default one; who waits for an event sleeps, and it keeps the time
    assert flags == {"cuStreamCreate": {"1"}, "cuEventCreate": {"1"}}
    pinned = [int(call.values["flags"]) for call in calls if call.name == "cuMemHostAlloc"]
    assert set(pinned) == ({PORTABLE, PORTABLE | DEVICEMAP} if gpu == "board" else {PORTABLE})


@gpus
def test_a_frame_s_memory(played: Played, gpu: str) -> None:
    """Frames are copied to every GPU; a mask comes back through memory that a board's GPU writes itself."""
    calls = [call for call in phase(played, gpu, "preprocess") if "Alloc" in call.name]
    mask = [f"cuMemHostAlloc bytes={MASK} flags=3"]
    if gpu == "card":
        mask = [f"cuMemHostAlloc bytes={MASK} flags=1", f"cuMemAlloc bytes={MASK}"]
    frame = [f"cuMemHostAlloc bytes={FRAME} flags=1", f"cuMemAlloc bytes={FRAME}"]
    assert [call.said("bytes", "flags") for call in calls] == [*frame, *mask]


@gpus
def test_a_frame_is_captured_and_launched(played: Played, gpu: str) -> None:
    external = "cuEventRecordWithFlags flags=1"
    clear = ["cuMemsetD8Async value=0 bytes=4"] if gpu == "card" else []
    back = [external, f"cuMemcpyDtoHAsync bytes={MASK}"] if gpu == "card" else []
    said = [call.said("mode", "flags", "entry", "value", "bytes") for call in phase(played, gpu, "infer")]
    assert said == [
        "cuStreamBeginCapture mode=1",  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        f"cuMemcpyHtoDAsync bytes={FRAME}",
        external,
        "cuLaunchKernel entry=preprocess",
        external,
        "cuLaunchKernel entry=brightness",
        external,
        *clear,
        "cuLaunchKernel entry=decode_fp32",
        *back,
        "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags flags=0",
        "cuGraphDestroy",
        *REPLAY,
    ]


@gpus
def test_all_work_of_a_frame_is_on_one_stream(played: Played, gpu: str) -> None:
    calls = phase(played, gpu, "infer")
    streams = {call.values["stream"] for call in calls if "stream" in call.values}
    assert len(streams) == 1
    begun, ended = (call for call in calls if call.name == "cuEventRecord")
    waited, *times = phase(played, gpu, "postprocess")
    assert (waited.name, waited.values["event"]) == ("cuEventSynchronize", ended.values["event"])
    assert {call.name for call in times} == {"cuEventElapsedTime"}
    # every stage and every copy lies between two events, from the first to the last
    inside = [call.values["event"] for call in calls if call.name == "cuEventRecordWithFlags"]
    edges = {(call.values["start"], call.values["end"]) for call in times}
    assert (begun.values["event"], inside[0]) in edges
    assert (inside[-1], ended.values["event"]) in edges


@gpus
def test_every_further_frame_is_one_graph_and_one_wait(played: Played, gpu: str) -> None:
    for name in ("frame2", "frame3"):
        names = [call.name for call in phase(played, gpu, name)]
        assert names[:4] == [*REPLAY, "cuEventSynchronize"]
        assert set(names[4:]) == {"cuEventElapsedTime"}


@gpus
def test_after_the_warm_up_nothing_is_made_and_each_frame_is_waited_for_once(played: Played, gpu: str) -> None:
    names = Counter(call.name for call in phase(played, gpu, "steady"))
    times = names.pop("cuEventElapsedTime")
    assert names == {"cuEventRecord": 40, "cuGraphLaunch": 20, "cuEventSynchronize": 20}
    assert times == 20 * (5 if gpu == "card" else 4)


@gpus
def test_kernels_get_every_argument_at_its_width(played: Played, gpu: str) -> None:
    made = {call.gave for call in everything(played, gpu) if "Alloc" in call.name}
    first, network, last = (call for call in phase(played, gpu, "infer") if call.name == "cuLaunchKernel")
    spec, place = fake_spec(), placement((HEIGHT, WIDTH), SIZE, fake_spec().resize)
    source, image = first.arguments[0][1], network.arguments[0][1]
    check_launch(first, preprocess_launch(source, place, spec.fill_bgr, image))
    shape = (len(spec.classes), SIZE[0] // spec.stride, SIZE[1] // spec.stride)
    (_, scores), *numbers = network.arguments[1:]
    assert numbers == [(4, number) for number in (*shape, spec.stride)]
    mask = last.arguments[1][1]
    mapping = place.mapping(spec.stride, spec.geometry)
    flag = mask + HEIGHT * PITCH
    check_launch(last, decode_launch(scores, np.dtype(np.float32), (1, *shape), mapping, spec.void, mask, flag, PITCH))
    assert {source, image, scores, mask} <= made


def check_launch(call: Call, launch: Launch) -> None:
    expected: dict[str, Any] = {
        "entry": launch.entry,
        "grid": ",".join(map(str, launch.grid)),
        "block": ",".join(map(str, launch.block)),
        "shared": str(launch.shared_bytes),
        "extra": "(nil)",
    }
    assert {key: call.values[key] for key in expected} == expected
    values = [np.asarray(argument) for argument in launch.arguments]
    assert call.arguments == tuple((one.itemsize, int.from_bytes(one.tobytes(), "little")) for one in values)
    assert {one.itemsize for one in values} == {4, 8}


@gpus
def test_a_frame_of_another_library_is_waited_for_on_the_gpu_and_copied(played: Played, gpu: str) -> None:
    whole, padded = phase(played, gpu, "lent0"), phase(played, gpu, "lent5")
    for calls in (whole, padded):
        recorded = next(call for call in calls if call.name == "cuEventRecord")
        waits = next(call for call in calls if call.name == "cuStreamWaitEvent")
        assert recorded.values["stream"] == "0x1"  # the legacy default stream, as the frame said
        assert (waits.values["event"], waits.values["flags"]) == (recorded.values["event"], "0")
    (copy,) = (call for call in whole if "Memcpy" in call.name)
    assert copy.said("bytes") == f"cuMemcpyAsync bytes={FRAME}"  # in one piece, as its rows lie
    (copy,) = (call for call in padded if "Memcpy" in call.name)
    row = WIDTH * 3
    kinds = f"to_type={UNIFIED} to_pitch={row} from_type={UNIFIED} from_pitch={row + 5}"
    said = copy.said("to_type", "to_pitch", "from_type", "from_pitch", "width", "rows")
    assert said == f"cuMemcpy2DAsync {kinds} width={row} rows={HEIGHT}"


@gpus
def test_a_frame_that_is_handed_on_is_waited_for_by_the_gpu_alone(played: Played, gpu: str) -> None:
    taken, inferred = phase(played, gpu, "handed on"), phase(played, gpu, "handed on inferred")
    assert [call for call in taken if "Synchronize" in call.name] == []
    assert [call.name for call in taken[-2:]] == ["cuMemcpyAsync", "cuEventRecord"]
    waits, *replay = inferred
    assert (waits.name, waits.values["event"]) == ("cuStreamWaitEvent", taken[-1].values["event"])
    assert [call.name for call in replay] == REPLAY
    assert waits.values["stream"] == replay[0].values["stream"] != taken[-1].values["stream"]
    safe = phase(played, gpu, "lent0")
    assert [call.name for call in safe[-3:]] == ["cuMemcpyAsync", "cuEventRecord", "cuEventSynchronize"]


@gpus
def test_what_was_made_is_given_back_in_this_order(played: Played, gpu: str) -> None:
    """A graph before the events that it records, all memory before the streams, modules before the context."""
    calls = everything(played, gpu)
    begun = [at for at, call in enumerate(calls) if call.name == "cuStreamBeginCapture"]
    assert len(begun) > 3  # one for each way in which frames came, and each that is under way at once
    for at in begun:
        following = calls[at:]
        made = next(call.gave for call in following if call.name == "cuGraphInstantiateWithFlags")
        ended = next(
            at for at, call in enumerate(following) if call.said("graph") == f"cuGraphExecDestroy graph={made:#x}"
        )
        inside = itertools.takewhile(lambda call: call.name != "cuStreamEndCapture", following)
        for event in (call.values["event"] for call in inside if call.name == "cuEventRecordWithFlags"):
            destroyed = f"cuEventDestroy event={event}"
            assert ended < next(at for at, call in enumerate(following) if call.said("event") == destroyed)
    names = [call.name for call in phase(played, gpu, "close")]
    assert names[-4:] == [*["cuModuleUnload"] * 3, "cuDevicePrimaryCtxRelease"]
    streams = [at for at, name in enumerate(names) if name == "cuStreamDestroy"]
    assert max(streams) > max(at for at, name in enumerate(names) if name.startswith("cuMemFree"))
    for make, give in (("cuStreamCreate", "cuStreamDestroy"), ("cuEventCreate", "cuEventDestroy")):
        assert sum(call.name == make for call in calls) == sum(call.name == give for call in calls)
