"""What ``fcn-edge bench`` does, as a function of the package."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.bench.control import control_of, control_request, unsteadiness
from fcn_edge.bench.engines import ReadyEngine, ready_engine
from fcn_edge.bench.examples import examples_of, ladder_of
from fcn_edge.bench.frames import write_frames
from fcn_edge.bench.journal import Journal
from fcn_edge.bench.measured import Request, measured_in_process
from fcn_edge.bench.plan import PlannedRow
from fcn_edge.bench.prepared import Prepared, prepared
from fcn_edge.bench.result import BenchResult, Example
from fcn_edge.bench.rounds import Measure, RoundLimits, measured_rounds
from fcn_edge.bench.row_result import failed_row, measured_row, with_shares
from fcn_edge.bench.scores import Scoring, scores_of
from fcn_edge.bench.suite import Suite
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.files import write_errors
from fcn_edge.io.folders import make_folder
from fcn_edge.io.runs import runs_directory
from fcn_edge.system.cpu import thread_count

__all__ = ["Watch", "bench"]

WAITING = "The machine is slower than before: waiting for it, as long as the suite's patience allows ..."
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
        MachineError: The disk is full.
        FcnEdgeError: No row can be measured, for the reason of the first; or the control cannot.
    """
    watch = watch or Watch()
    folder = folder or runs_directory() / "bench" / name
    watch.tell(f"Reading models, images and frames of {name} ...")
    ready = prepared(suite)
    with write_errors(folder):
        make_folder(folder / ENGINES)
    with Journal(folder / JOURNAL_FILE, ready.identity(device), resume=resume) as journal:
        write_frames(folder / FRAMES_FILE, ready.frames)
        engines, failures = _engines(ready.rows, folder / ENGINES, device, watch)
        scores: dict[str, AccuracyRecord] = {}
        if ready.split is not None:
            scoring = Scoring(ready.split, journal, folder / ENGINES, device, watch.tell, watch.scoring)
            scores, unusable = scores_of(ready.rows, engines, scoring)
            failures |= unusable
        requests = {
            row.name: _request(suite, row, engines[row.engine], folder, device)
            for row in ready.rows
            if row.engine not in failures
        }
        if not requests:
            raise next(iter(failures.values()))
        control = control_request(
            ready.control, engines.values(), folder / ENGINES, folder / FRAMES_FILE, suite.frames, device
        )
        most = max(suite.rounds, suite.most_rounds)
        limits = RoundLimits(suite.rounds, most, suite.width, suite.drift, suite.patience)
        found = measured_rounds(
            requests, control, limits, journal, measure, watch.measuring, lambda: watch.tell(WAITING)
        )
    failed = {row.name: failures[row.engine] for row in ready.rows if row.engine in failures} | found.failures
    if len(failed) == len(ready.rows):
        raise next(iter(failed.values()))
    rows = [
        failed_row(row, failed[row.name], ready.frame_size, scores.get(row.engine))
        if row.name in failed
        else measured_row(
            row,
            engines[row.engine],
            found.rows[row.name],
            frame_size=ready.frame_size,
            width=suite.width,
            accuracy=scores.get(row.engine),
            gmacs=ready.gmacs[row.name],
        )
        for row in ready.rows
    ]
    measured = {row.engine: engines[row.engine] for row in ready.rows if row.name not in failed}
    steady = control_of(Path(suite.control).name, found.control, found.waits)
    height, width = ready.frame_size
    return BenchResult(
        suite=name,
        title=suite.title,
        started=journal.started,
        seconds=round(journal.seconds, 1),
        machine=json.loads(json.dumps(ready.facts.to_json())),  # as it comes back from a file
        threads=thread_count(None),
        frames=f"{ready.source}, {height}x{width}",
        frames_per_round=suite.frames,
        rounds=found.rounds,
        resumed=journal.resumed,
        control=steady,
        unstable=unsteadiness(steady, suite.drift),
        rows=(*with_shares(rows), *ready.recorded),
        examples=_examples(ready, measured, device, watch),
    )


def _engines(
    rows: Sequence[PlannedRow], folder: Path, device: int, watch: Watch
) -> tuple[dict[str, ReadyEngine], dict[str, FcnEdgeError]]:
    """The engines by name, and why some of them are not there."""
    ready: dict[str, ReadyEngine] = {}
    failures: dict[str, FcnEdgeError] = {}
    for row in rows:
        if row.engine in ready or row.engine in failures:
            continue
        watch.tell(f"Preparing {row.title} ...")
        try:
            ready[row.engine] = ready_engine(row, folder, device)
        except FcnEdgeError as error:
            failures[row.engine] = error
    return ready, failures


def _request(suite: Suite, row: PlannedRow, engine: ReadyEngine, folder: Path, device: int) -> Request:
    return Request(
        model=str(engine.path),
        frames=str(folder / FRAMES_FILE),
        count=suite.frames,
        warm_up=suite.warm_up,
        ends=row.ends,
        threads=row.threads,
        device=engine.device(device),
    )


def _examples(ready: Prepared, engines: dict[str, ReadyEngine], device: int, watch: Watch) -> tuple[Example, ...]:
    """Pieces of images; what was measured is not lost because there are none."""
    ladder = ladder_of(engines)
    if ready.examples is None or not ladder:
        return ()
    try:
        return examples_of(ladder, ready.examples, device=device)
    except FcnEdgeError as error:
        watch.tell(f"No examples of where decoders differ: {error}")
        return ()
