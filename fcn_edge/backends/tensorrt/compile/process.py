"""Runs a build in a process of its own, and says what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

from fcn_edge.backends.base import Built, Progress
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.library import TITLES
from fcn_edge.errors import DeviceError, FcnEdgeError, GuardError, MachineError, ModelError

__all__ = ["build_in_process"]

_WORKER = "fcn_edge.backends.tensorrt.compile.worker"
_KINDS: Mapping[str, type[FcnEdgeError]] = MappingProxyType(
    {kind.__name__: kind for kind in (ModelError, GuardError, MachineError, DeviceError, FcnEdgeError)}
)
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


def build_in_process(request: Request, progress: Progress | None = None, worker: str = _WORKER) -> Built:
    """Build in a child process, which dies with whatever stops this call.

    Args:
        request: What to build.
        progress: Told how it goes.
        worker: The module that the child runs.

    Raises:
        ModelError: The library cannot build the model.
        GuardError: The plan has another precision than the graph.
        MachineError: The child was killed, as it is when memory runs out, or it crashed.
        OSError: The plan could not be written.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as pipe, tempfile.TemporaryFile() as words:
        try:
            # a session of its own: Ctrl-C reaches this process, which kills the child
            process = subprocess.Popen(
                [sys.executable, "-m", worker, str(writing), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=words,
                stderr=words,
                pass_fds=(writing,),
                start_new_session=True,
                env={**os.environ, **_modules_as_here(), **_only_gpu(request.gpu)},
            )
        finally:
            os.close(writing)
        try:
            with suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as asking:
                asking.write(request.to_json().encode())
            result = _relayed(pipe, progress)
            if result is None:
                raise _death(request, process.wait(), words)
            return result
        finally:
            process.kill()
            process.wait()


def _modules_as_here() -> dict[str, str]:
    """Environment in which a child finds the modules that this process finds, and no others in its directory."""
    return {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path), "PYTHONSAFEPATH": "1"}


def _only_gpu(index: int) -> dict[str, str]:
    """Environment in which a child's first GPU is a certain one of this process's; nothing else chooses one there."""
    if not index:
        return {}
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return {"CUDA_VISIBLE_DEVICES": visible[index] if index < len(visible) else str(index)}


def _relayed(pipe: IO[str], progress: Progress | None) -> Built | None:
    """Pass a child's progress on until it ends; None when it ended without a result."""
    for line in pipe:
        content: dict[str, Any] = json.loads(line)
        if "progress" in content:
            if progress is not None:
                progress(*content["progress"])
        elif "error" in content:
            error = content["error"]
            raise _KINDS.get(error["kind"], MachineError)(error["message"], error["fix"])
        elif "failed" in content:
            raise OSError(*content["failed"])
        else:
            built = content["built"]
            return Built(**{**built, "files": tuple(built["files"])})
    return None


def _death(request: Request, code: int, words: IO[bytes]) -> FcnEdgeError:
    title = TITLES[request.backend]
    if code in _KILLED:
        return MachineError(
            f"The process in which {title} built {request.onnx} was killed, most likely because memory ran out.",
            "Close other programs, add swap, or build for a smaller --size.",
        )
    words.seek(0)
    lines = words.read().decode(errors="replace").strip().splitlines()
    last = f": {lines[-1].strip().rstrip('.')}" if lines else ""
    if code < 0:
        how = signal.Signals(-code).name
        return MachineError(
            f"{title} crashed ({how}) while it built {request.onnx}{last}.",
            "Check that the library and the driver fit together: fcn-edge doctor.",
        )
    return FcnEdgeError(f"The process in which {title} built {request.onnx} ended with code {code}{last}.")
