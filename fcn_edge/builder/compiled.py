"""A candidate that was built: typed, compiled, opened."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.calibration_table import CalibrationTable, QuantizationChoice, write_table
from fcn_edge.artifacts.engine_manifest import TABLE_FILE
from fcn_edge.artifacts.models import Model
from fcn_edge.backends.base import Built, Engine, Progress
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.backends.options import BuildOptions, RunOptions
from fcn_edge.builder.candidates import Candidate
from fcn_edge.builder.typed_onnx import TypedFile, require_share, typed_file

__all__ = ["CompiledCandidate", "compiled_candidate"]


@dataclass(frozen=True)
class CompiledCandidate:
    """A candidate that was built.

    Attributes:
        candidate: What was to be built.
        typed: What the backend compiled.
        choice: How INT8 clips, and what it leaves alone; None in a float candidate.
        directory: Where the files lie.
        files: Names of them.
        built: What the backend says.
        seconds: How long it took.
    """

    candidate: Candidate
    typed: TypedFile
    choice: QuantizationChoice | None
    directory: Path
    files: tuple[str, ...]
    built: Built
    seconds: float

    @property
    def int8_share(self) -> float | None:
        """Share of the convolution MACs outside depthwise ones with INT8 operands, by the library's word if any."""
        return self.typed.int8_share if self.built.int8_share is None else self.built.int8_share

    def opened(self) -> Engine:
        """The candidate's engine; of one that cannot run here, its typed ONNX as it is written, in ONNX Runtime.

        Raises:
            ModelError: The library refuses the files.
            MachineError: Neither the candidate nor its ONNX can run here.
        """
        size = self.candidate.identity.size
        if self.candidate.runs:
            options = RunOptions(self.candidate.threads, self.candidate.gpu)
            return self.candidate.backend.open(self.directory, self.typed.spec, size, options)
        return open_unfused(self.typed.path, self.typed.spec, size)


def compiled_candidate(
    model: Model,
    candidate: Candidate,
    workspace: Path,
    *,
    table: CalibrationTable | None,
    choice: QuantizationChoice | None,
    progress: Progress | None = None,
    any_share: bool = False,
) -> CompiledCandidate:
    """Build a candidate; what an earlier build of the same candidate left is replaced.

    Args:
        model: What to build.
        candidate: For which backend and precision.
        workspace: A directory; the candidate gets one in it.
        table: The calibration table of the model.
        choice: How INT8 clips, and what it leaves alone.
        progress: Told how the backend gets on.
        any_share: Build it also when too little is INT8 for its name, as a step of a search.

    Raises:
        ModelError: The backend cannot run this graph.
        GuardError: Too little of the graph would be INT8 for it to be called so.
        MachineError: The library or the device is not here.
    """
    directory = workspace / candidate.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    started = time.perf_counter()
    typed = typed_file(model, candidate, workspace, table=table, choice=choice)
    if not any_share:  # before a build that may take minutes
        require_share(typed.int8_share)
    options = BuildOptions(device=candidate.gpu, batch=candidate.identity.batch)
    built = candidate.backend.build(typed.path, directory, candidate.identity.size, options, progress)
    seconds = time.perf_counter() - started
    files = built.files
    if candidate.precision == "int8" and table is not None:
        write_table(directory / TABLE_FILE, table)
        files = (*files, TABLE_FILE)
    compiled = CompiledCandidate(candidate, typed, choice, directory, files, built, seconds)
    if not any_share:
        require_share(compiled.int8_share, built.unknown_convolutions)
    return compiled
