"""What a run of a suite measured: one JSON document, from which every table, plot and comparison is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fcn_edge.artifacts.migrations import Document
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.artifacts.spec import Fraction, Sha256, Size, first_problem
from fcn_edge.errors import ArtifactError
from fcn_edge.io.documents import read_document, write_document

__all__ = [
    "BenchResult",
    "Control",
    "Distribution",
    "Example",
    "Power",
    "Row",
    "Throughput",
    "read_result",
    "write_result",
]

Milliseconds = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Rounded = Annotated[float, Field(ge=0)]
"""Tiny ones are rounded to nothing."""

FIX = "fcn-edge bench SUITE --json-out FILE makes one."


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Distribution(_Part):
    """Times of a row's frames, in milliseconds.

    ``p50`` and its interval come from the medians of the rounds, so that a round that was disturbed counts once; the
    rest comes from all frames of all rounds.

    Attributes:
        mean: Mean of all frames.
        p50: Median of the rounds' medians.
        p90: What 90% of the frames do not exceed; ``p95`` and ``p99`` alike.
        min: The fastest frame.
        max: The slowest frame.
        interval: Where ``p50`` lies, with the probability ``confidence``.
        confidence: 0 to 1.
        rounds: Median of each round, in the order of those of the run's control.
        frames: How many frames there were in all.
        percentiles: What 0, 1, ... 100% of the frames do not exceed: 101 values.
    """

    mean: Milliseconds
    p50: Milliseconds
    p90: Milliseconds
    p95: Milliseconds
    p99: Milliseconds
    min: Milliseconds
    max: Milliseconds
    interval: tuple[Milliseconds, Milliseconds]
    confidence: Fraction
    rounds: Annotated[tuple[Milliseconds, ...], Field(min_length=1)]
    frames: Annotated[int, Field(ge=1)]
    percentiles: Annotated[tuple[Milliseconds, ...], Field(min_length=101, max_length=101)]


class Throughput(_Part):
    """Frames a second of the pipeline, in which reading, the network and decoding overlap.

    Attributes:
        fps: Median of the rounds.
        interval: Where that lies, with the probability ``confidence``.
        confidence: 0 to 1.
        rounds: Each round's.
    """

    fps: Positive
    interval: tuple[Positive, Positive]
    confidence: Fraction
    rounds: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Power(_Part):
    """What the machine's sensors told while a row ran; what none of them tells is absent.

    Attributes:
        watts: Mean power.
        joules_per_frame: Energy divided by the frames that were processed meanwhile.
        source: The sensor, and what it includes; empty where there is none.
        absent: Why there is no power, in a sentence; empty where there is.
        clocks_mhz: Least and most clock by name, such as ``cpu`` and ``gpu``.
        clock_limits_mhz: What each of them may reach in the present power mode.
        temperature_c: Highest temperature by sensor.
        throttled: What lowered clocks meanwhile, in words.
        gpu_load: Share of time that the GPU was busy, 0 to 1.
        load: Processes that ran or waited in the minute before a round: the most of all rounds.
        steal: Share of the processor's time that the hypervisor gave to others, 0 to 1.
    """

    watts: Positive | None = None
    joules_per_frame: Positive | None = None
    source: str = ""
    absent: str = ""
    clocks_mhz: dict[str, tuple[float, float]] = Field(default_factory=dict)
    clock_limits_mhz: dict[str, float] = Field(default_factory=dict)
    temperature_c: dict[str, float] = Field(default_factory=dict)
    throttled: tuple[str, ...] = ()
    gpu_load: Fraction | None = None
    load: float | None = None
    steal: Fraction | None = None


class Row(_Part):
    """A model at a precision and a size on a backend.

    Attributes:
        name: What it is, unique in a result and the same in every run of it, such as
            ``camvid-mobilenet_v2-fcn8s int8 openvino 480x640``; results are compared by it.
        model: A shipped name, or the name of the file or directory.
        digest: Digest of the model's graph and weights.
        encoder: Such as ``mobilenet_v2``; empty where the model does not tell.
        decoder: Such as ``fcn8s``; empty where the model does not tell.
        stride: Stride of the class scores, in pixels of the network's input.
        precision: ``fp32``, ``fp16`` or ``int8``.
        backend: What ran it.
        library: The backend's library and its version.
        device: What it ran on.
        size: ``(height, width)`` of the network's input.
        frame_size: ``(height, width)`` of the frames.
        ends: What a frame's end-to-end time ends with: the ``mask`` in the frame's own pixels, or the ``scores`` at the
            decoder's stride, which some projects publish their speeds for.
        state: ``measured``; ``recorded``: taken from an earlier result, because the weights are not at hand;
            ``absent``: this machine cannot; ``failed``: it should have been measured.
        problem: Why it was not measured, in a sentence, or which result it was taken from.
        fix: What fixes that.
        unstable: Why its times are not to be relied on, in a sentence; empty where they are.
        network_ms: The network alone.
        end_to_end_ms: From the frame in memory to its mask, one frame after the other.
        stages_ms: Median of each stage: ``preprocess``, ``infer`` and ``decode``.
        gpu_ms: Medians with trtexec's meanings: ``host_to_device``, ``compute``, ``device_to_host``, ``enqueue``; those
            that are no step of their own are absent. None on processors.
        throughput: With frames overlapping; None for ``scores``.
        memory_mb: Peak memory of a process that only loads and runs it, without the frames, in 10^6 bytes; memory of
            a GPU is not in it.
        load_seconds: From the files to the first mask, in a new process, importing the backend's library included;
            median of the rounds.
        build_seconds: How long its engine took to build; None for a model that needs no build.
        engine_mb: Size of the files that are loaded, in 10^6 bytes.
        gmacs: Multiply-accumulates of its convolutions for one frame, in 10^9.
        power: What the machine's sensors told while frames were timed one by one.
        accuracy: On the labeled images of the run.
        of_fp32: Its mIoU divided by that of the same model and size in FP32.
        build: Command that builds its engine; empty where none is needed.
    """

    name: Annotated[str, Field(min_length=1)]
    model: str
    digest: Sha256
    encoder: str = ""
    decoder: str = ""
    stride: Annotated[int, Field(ge=1)]
    precision: Literal["fp32", "fp16", "int8"]
    backend: str
    library: str = ""
    device: str = ""
    size: Size
    frame_size: Size
    ends: Literal["mask", "scores"] = "mask"
    state: Literal["measured", "recorded", "absent", "failed"]
    problem: str = ""
    fix: str = ""
    unstable: str = ""
    network_ms: Distribution | None = None
    end_to_end_ms: Distribution | None = None
    stages_ms: dict[str, Milliseconds] = Field(default_factory=dict)
    gpu_ms: dict[str, Milliseconds] | None = None
    throughput: Throughput | None = None
    memory_mb: Rounded | None = None
    load_seconds: Rounded | None = None
    build_seconds: Rounded | None = None
    engine_mb: Rounded | None = None
    gmacs: Rounded | None = None
    power: Power | None = None
    accuracy: AccuracyRecord | None = None
    of_fp32: Annotated[float, Field(ge=0)] | None = None
    build: str = ""

    @model_validator(mode="after")
    def _times_where_measured(self) -> Row:
        timed = self.network_ms is not None and self.end_to_end_ms is not None
        if timed != (self.state in ("measured", "recorded")):
            raise ValueError(f"the row {self.name!r} is {self.state} and has {'times' if timed else 'no times'}")
        return self


class Control(_Part):
    """The same work in every round, which tells how steady the machine was.

    Attributes:
        name: What it is.
        rounds: Its median time in each round, in milliseconds: the last before the round's first row.
        waits: Its times while the run waited for the machine to be as fast as before, in milliseconds.
        moved: Slowest round divided by the fastest, less 1.
    """

    name: str
    rounds: Annotated[tuple[Positive, ...], Field(min_length=1)]
    waits: tuple[Positive, ...] = ()
    moved: Annotated[float, Field(ge=0)]


class Example(_Part):
    """A piece of an image where one decoder is right and another is not.

    Attributes:
        title: What is to be seen.
        source: Where the image comes from, such as ``rendered street, seed 700``.
        image: PNG in base64.
        truth: The labels in their colors, PNG in base64; empty where there are none.
        masks: Masks in their colors by name of the decoder, PNG in base64.
        shares: Share of the labeled pixels that each decoder has right there, 0 to 1.
    """

    title: str
    source: str
    image: str
    truth: str = ""
    masks: dict[str, str]
    shares: dict[str, Fraction] = Field(default_factory=dict)


class BenchResult(Document):
    """What a run of a suite measured.

    Attributes:
        suite: The suite's name.
        title: What it is, for people.
        started: When it began, such as ``2026-05-01T12:00:00Z``.
        seconds: How long it took, without pauses between a kill and its resumption.
        machine: ``MachineFacts.to_json()``.
        threads: Threads of the networks on a processor, where the name of a row does not tell others.
        frames: What the frames were.
        frames_per_round: Frames that each row was timed with in each round.
        rounds: Rounds that were run.
        resumed: How often the run was resumed.
        control: The same work in every round.
        unstable: Why the whole run is not to be relied on, in a sentence; empty where it is.
        rows: In the suite's order.
        examples: Where decoders differ.
    """

    suite: str
    title: str = ""
    started: str
    seconds: Annotated[float, Field(ge=0)]
    machine: dict[str, Any]
    threads: Annotated[int, Field(ge=1)]
    frames: str
    frames_per_round: Annotated[int, Field(ge=1)]
    rounds: Annotated[int, Field(ge=1)]
    resumed: Annotated[int, Field(ge=0)] = 0
    control: Control
    unstable: str = ""
    rows: tuple[Row, ...]
    examples: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> BenchResult:
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError("two rows have the same name")
        return self


def read_result(path: Path) -> BenchResult:
    """The result in a file, of any schema version up to this one.

    Raises:
        ArtifactError: It is missing, damaged, no result, or a newer fcn_edge wrote it.
    """
    content = read_document(path, ArtifactError, FIX)
    try:
        return BenchResult.from_content(content, str(path), ArtifactError)
    except ValidationError as error:
        raise ArtifactError(f"{path} is no result of fcn-edge bench: {first_problem(error)}.", FIX) from error


def write_result(path: Path, result: BenchResult) -> None:
    """Write a result with a digest of its own content, whole or not at all.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    write_document(path, result.model_dump(mode="json"))
