"""``fcn-edge`` in processes that are forked from one that has imported what takes seconds: a kill costs little time."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

__all__ = ["begun", "server"]

HEAVY = ("cv2", "onnx", "onnxruntime", "torch", "fcn_edge.bench.api", "fcn_edge.export.onnx", "fcn_edge.training.train")


def server() -> ForkServerContext:
    """What makes the processes; none of them exists yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fcn_edge.cli.main", __name__, *HEAVY])
    return context


def begun(
    context: ForkServerContext, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> ForkServerProcess:
    """A command that runs in a folder, and says nothing."""
    process = context.Process(target=_run, args=(list(arguments), str(folder), dict(environment)))
    process.start()
    return process


def _run(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    from fcn_edge.cli.main import main

    main(arguments)
