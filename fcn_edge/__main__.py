"""``python -m fcn_edge`` is ``fcn-edge``."""

from __future__ import annotations

from fcn_edge.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main(prog_name="fcn-edge")
