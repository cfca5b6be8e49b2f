"""What ``fcn-edge bench`` does, as a function of the package."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.bench.complexity import complexity_of
from fcn_edge.bench.engines import ReadyEngine, ready_engine
from fcn_edge.bench.examples import examples_of, ladder_of
from fcn_edge.bench.frames import frames_of, write_frames
from fcn_edge.bench.journal import Journal
from fcn_edge.bench.measured import Request, measured_in_process
from fcn_edge.bench.plan import PlannedRow, planned_rows
from fcn_edge.bench.recorded import recorded_rows
from fcn_edge.bench.result import BenchResult, Control
from fcn_edge.bench.rounds import Measure, Measurements, RoundLimits, measured_rounds
from fcn_edge.bench.row_result import failed_row, measured_row, with_shares
from fcn_edge.bench.scores import Scoring, scores_of
from fcn_edge.bench.suite import Suite
from fcn_edge.bench.times import round_median_ms
from fcn_edge.datasets import LabeledSplit, split_of
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.files import write_errors
from fcn_edge.io.runs import runs_directory
from fcn_edge.system.cpu import thread_count
from fcn_edge.system.facts import MachineFacts, read_facts

__all__ = ["Watch", "bench"]

CONTROL_SIZE = (256, 320)
CONTROL_FRAMES = 3
"""Frames of the control for each frame of a row: it is small, and all depends on it."""

NOT_MEASURED = ("title", "recorded", "examples", "rows", "data")
"""What of a suite does not decide what is measured, or does so in a key of its own."""

FRAMES_FILE, JOURNAL_FILE, ENGINES = "frames.npy", "journal.jsonl", "engines"


@dataclass(frozen=True)
class Watch:
    """Who is told how a run gets on.

    Attributes:
        tell: Called with a line before each step that takes time.
        scoring: Called with images scored and images in all.
        measuring: Called with measurements made and measurements in all, as far as is known.
    """

    tell: Callable[[str], None] = lambda _: None
    scoring: Callable[[int, int], None] | None = None
    measuring: Callable[[int, int], None] | None = None


def bench(
    suite: Suite,
    name: str = "suite",
    *,
    folder: Path | None = None,
    resume: bool = False,
    device: int = 0,
    watch: Watch | None = None,
    measure: Measure = measured_in_process,
) -> BenchResult:
    """Measure the rows of a suite in interleaved rounds.

    Args:
        suite: What to measure.
        name: What it is called.
        folder: Where engines and what was measured are kept; ``bench/NAME`` in ``runs_directory()`` when left out.
        resume: Go on with the run that the folder holds, if it is the same.
        device: Index of the GPU.
        watch: Who is told how it gets on.
        measure: Measures one row in one round.

    Raises:
        UsageError: An argument makes no sense, or the run to resume is another one.
        ArtifactError: A model, table, data set or recorded result is missing or damaged.
        SourceError: The frames cannot be read.
        MachineError: The disk is full, or the control cannot run.
    """
    watch = watch or Watch()
    folder = folder or runs_directory() / "bench" / name
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    rows, control = planned_rows(suite), resolved_model(suite.control)
    recorded = recorded_rows(suite.recorded, {row.name for row in rows})
    split = split_of(suite.data) if suite.data else None
    facts = read_facts()
    with Journal(folder / JOURNAL_FILE, _identity(suite, rows, split, facts, device), resume=resume) as journal:
        watch.tell(f"Reading frames of {suite.source} ...")
        frames = frames_of(suite.source, suite.distinct)
        write_frames(folder / FRAMES_FILE, frames)
        engines, failures = _engines(rows, folder / ENGINES, device, watch)
        scores = {}
        if split is not None:
            scoring = Scoring(split, journal, folder / ENGINES, device, watch.tell, watch.scoring)
            scores = scores_of(rows, engines, scoring)
        found = measured_rounds(
            _requests(suite, rows, engines, folder, device),
            _control_request(suite, control, folder, device),
            RoundLimits(suite.rounds, max(suite.rounds, suite.most_rounds), suite.width),
            journal,
            measure,
            watch.measuring,
        )
    ladder = ladder_of(engines) if suite.examples else {}
    failed = {row.name: failures[row.engine] for row in rows if row.engine in failures} | found.failures
    height, width = frames.shape[1:3]
    steady = _control(suite, found)
    return BenchResult(
        suite=name,
        title=suite.title,
        started=journal.started,
        seconds=round(journal.seconds, 1),
        machine=json.loads(json.dumps(facts.to_json())),  # as it comes back from a file
        threads=thread_count(None),
        frames=f"{suite.source}, {height}x{width}",
        frames_per_round=suite.frames,
        rounds=found.rounds,
        resumed=journal.resumed,
        control=steady,
        unstable=_unsteadiness(steady, suite.drift),
        rows=(
            *with_shares(
                [
                    failed_row(row, failed[row.name], (height, width), scores.get(row.engine))
                    if row.name in failed
                    else measured_row(
                        row,
                        engines[row.engine],
                        found.rows[row.name],
                        frame_size=(height, width),
                        width=suite.width,
                        accuracy=scores.get(row.engine),
                        gmacs=complexity_of(row.model, row.size),
                    )
                    for row in rows
                ]
            ),
            *recorded,
        ),
        examples=examples_of(ladder, split_of(suite.examples), device=device) if ladder else (),
    )


def _engines(
    rows: Sequence[PlannedRow], folder: Path, device: int, watch: Watch
) -> tuple[dict[str, ReadyEngine], dict[str, FcnEdgeError]]:
    """The engines by name, and why some of them are not there."""
    with write_errors(folder):
        folder.mkdir(exist_ok=True)
    ready: dict[str, ReadyEngine] = {}
    failures: dict[str, FcnEdgeError] = {}
    for row in rows:
        if row.engine in ready or row.engine in failures:
            continue
        watch.tell(f"Preparing {row.engine} ...")
        try:
            ready[row.engine] = ready_engine(row, folder, device)
        except FcnEdgeError as error:
            failures[row.engine] = error
    return ready, failures


def _requests(
    suite: Suite, rows: Sequence[PlannedRow], engines: Mapping[str, ReadyEngine], folder: Path, device: int
) -> dict[str, Request]:
    return {
        row.name: Request(
            model=str(engines[row.engine].path),
            frames=str(folder / FRAMES_FILE),
            count=suite.frames,
            warm_up=suite.warm_up,
            ends=row.ends,
            threads=row.threads,
            device=device,
        )
        for row in rows
        if row.engine in engines
    }


def _control_request(suite: Suite, model: Model, folder: Path, device: int) -> Request:
    return Request(
        model=str(model.path),
        frames=str(folder / FRAMES_FILE),
        count=CONTROL_FRAMES * suite.frames,
        warm_up=suite.warm_up,
        ends="scores",
        size=CONTROL_SIZE,
        device=device,
    )


def _control(suite: Suite, found: Measurements) -> Control:
    times = tuple(round_median_ms(one.whole_ns) for one in found.control)
    height, width = CONTROL_SIZE
    return Control(
        name=f"{Path(suite.control).name} fp32 {found.control[0].backend} {height}x{width}",
        rounds=times,
        moved=round(max(times) / min(times) - 1, 5),
    )


def _unsteadiness(control: Control, drift: float) -> str:
    if control.moved <= drift:
        return ""
    return (
        f"The control took {min(control.rounds):.2f} to {max(control.rounds):.2f} ms ({control.moved:.0%} apart, "
        f"{drift:.0%} allowed): the machine was not steady."
    )


def _identity(
    suite: Suite, rows: Sequence[PlannedRow], split: LabeledSplit | None, facts: MachineFacts, device: int
) -> dict[str, Any]:
    """What decides what is measured, by what messages call it."""
    content, told = suite.model_dump(mode="json"), facts.to_json()
    return {
        "suite": {
            key: value for key, value in content.items() if key not in ("title", "recorded", "rows", "data", "examples")
        },
        "choice of rows": [[row.name, row.model.digest, str(row.calibration)] for row in rows],
        "data set": None if split is None else fingerprint_of(split),
        "machine": [told["cpu"]["name"], told["cpu"]["instruction_set"], told["cpu"]["cores"], told["nvidia"], device],
        "software": told["software"]["packages"],
    }
