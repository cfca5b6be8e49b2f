"""``python -m fcn_edge`` and ``fcn-edge``: Ctrl-C is one line from the first import on."""

from __future__ import annotations

import sys

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        from fcn_edge.cli.main import main as command

        command(prog_name="fcn-edge")
    except KeyboardInterrupt:
        _end()
    except Exception as error:  # Python itself makes another error of Ctrl-C in some places of an import
        behind: BaseException | None = error
        while behind is not None and not isinstance(behind, KeyboardInterrupt):
            behind = behind.__cause__ or behind.__context__
        if behind is None:
            raise
        _end()


def _end() -> None:
    if sys.stderr is not None:
        sys.stderr.write("Error: Interrupted.\n")
    sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
