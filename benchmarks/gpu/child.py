"""One check in a process of its own: ``python -m gpu.child CHECK REQUEST ROWS``, used by ``gpu.children``.

Every row is on disk before the next is begun, so that a crash loses none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fcn_edge.errors import FcnEdgeError
from gpu.checks import function_of
from gpu.children import end_with_all_at_sigterm
from gpu.report import as_json
from gpu.subject import Request, Row, Subject


def main(check: str, request: Path, rows: Path) -> None:
    """Write what a check finds, a line of JSON each.

    Args:
        check: Its name.
        request: A file that ``Request.to_json`` was written to.
        rows: The file to write.
    """
    with rows.open("w", encoding="utf-8") as file:

        def write(row: Row) -> None:
            print(as_json(row), file=file, flush=True)

        try:
            subject = Subject.of(Request.of_json(json.loads(request.read_text(encoding="utf-8"))))
            for row in function_of(check)(subject):
                write(row)
        except FcnEdgeError as error:
            write({"failed": str(error), "agree": False})


if __name__ == "__main__":
    end_with_all_at_sigterm()
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
