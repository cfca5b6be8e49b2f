"""The process that builds: takes a request from standard input, tells of its progress and its end through a pipe.

    python -m fcn_edge.backends.tensorrt.compile.worker FD PARENT

A build may need more memory than the machine has, and a library's crash cannot be caught; here it ends this process
only. Each line on the pipe is a JSON object with one key: ``progress``, ``built``, ``error``, or ``failed``, which is
what the operating system says, such as that the disk is full. With the process PARENT this one ends, too.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from dataclasses import asdict
from typing import Any

from fcn_edge.backends.tensorrt.compile.compiler import build_plan
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.library import library
from fcn_edge.errors import FcnEdgeError

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Build what standard input asks for."""
    _end_with(int(sys.argv[2]))
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as pipe:

        def tell(**what: Any) -> None:
            try:
                print(json.dumps(what), file=pipe, flush=True)
            except BrokenPipeError:  # whoever asked is gone; the library's threads would go on
                os._exit(1)

        request = Request.from_json(sys.stdin.read())
        try:
            built = build_plan(library(request.backend), request, lambda *step: tell(progress=step))
        except FcnEdgeError as error:
            tell(error={"kind": type(error).__name__, "message": error.message, "fix": error.fix})
        except OSError as error:
            tell(failed=[error.errno, error.strerror])
        else:
            tell(built=asdict(built))


def _end_with(parent: int) -> None:
    """Let the system kill this process when its parent ends, be it by a signal that lets nobody clean up.

    A build says nothing for minutes, and holds most of a board's memory.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


if __name__ == "__main__":
    main()
