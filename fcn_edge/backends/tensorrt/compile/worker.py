"""The process that builds: takes a request from standard input, tells of its progress and its end through a pipe.

    python -m fcn_edge.backends.tensorrt.compile.worker FD

A build may need more memory than the machine has, and a library's crash cannot be caught; here it ends this process
only. Each line on the pipe is a JSON object with one key: ``progress``, ``built``, ``error``, or ``failed``, which is
what the operating system says, such as that the disk is full.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

from fcn_edge.backends.tensorrt.compile.compiler import build_plan
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.library import library
from fcn_edge.errors import FcnEdgeError


def main() -> None:
    """Build what standard input asks for."""
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


if __name__ == "__main__":
    main()
