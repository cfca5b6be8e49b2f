"""Print the test modules that pytest collects with the arguments given, one per line.

Nothing is imported, neither they nor any ``conftest.py``, so that it is quick and needs no torch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


class _Recorder:
    """Takes the place of pytest's own module collector; what pytest ignores never gets here."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.File:
        self.paths.append(module_path)
        return _Nothing.from_parent(parent, path=module_path)


class _Nothing(pytest.File):
    def collect(self) -> list[pytest.Item]:
        return []


if __name__ == "__main__":
    recorder = _Recorder()
    code = pytest.main(
        ["--collect-only", "--noconftest", "-qq", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[recorder]
    )
    if code != pytest.ExitCode.NO_TESTS_COLLECTED:
        sys.exit(f"pytest ended with {code!r}")
    sys.stdout.write("".join(f"{path}\n" for path in recorder.paths))
