"""Plugin for pytest: runs the tests as if libraries were not installed, and skips those that turn out to need them.

    python -m pytest -p tests.without --without torch,onnxruntime

No list says which test needs which library: one that fails after it looked for a library that is withheld is skipped,
and so is a module that cannot be imported without one. A test that starts another Python, which would find them, is
skipped as well. Tests that pass all the same count.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import pytest

Wrapped = Generator[None, Any, Any]
AFTER_THE_REST = "not installed (withheld)"


class Withholding:
    """Stands in for ``PathFinder`` on ``sys.meta_path`` and finds everything but the libraries that are withheld.

    Attributes:
        names: The top-level modules that it does not find.
        asked: Those that were looked for since the last test began.
        testing: A test runs, so that another Python is its doing.
    """

    find_distributions = staticmethod(PathFinder.find_distributions)
    invalidate_caches = staticmethod(PathFinder.invalidate_caches)

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.asked: set[str] = set()
        self.testing = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in self.names:
            self.asked.add(name.partition(".")[0])
            return None
        return PathFinder.find_spec(name, path, target)

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook."""
        if event == "subprocess.Popen" and self.testing:
            command = arguments[0] or arguments[1][0]
            if os.fsdecode(command).rpartition("/")[2].startswith(("python", "fcn-edge")):
                pytest.skip("starts another Python, from which nothing is withheld")

    def needed(self, error: BaseException | None) -> set[str]:
        """The libraries that were looked for, or that an error, also one of a fixture long ago, comes from."""
        needed = set(self.asked)
        while error is not None:
            if isinstance(error, ImportError) and error.name:
                needed |= {error.name.partition(".")[0]} & self.names
            error = error.__cause__ or error.__context__
        return needed

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Wrapped:
        self.asked.clear()
        report = yield
        if report.failed and self.asked:
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 0, f"Skipped: {', '.join(sorted(self.asked))} {AFTER_THE_REST}")
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Wrapped:
        self.asked.clear()
        self.testing = True
        try:
            return (yield)
        finally:
            self.testing = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Wrapped:
        report = yield
        if report.failed and call.excinfo is not None and (needed := self.needed(call.excinfo.value)):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {', '.join(sorted(needed))} {AFTER_THE_REST}")
        return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without", default="", help="modules to withhold, separated by commas")


def pytest_configure(config: pytest.Config) -> None:
    names = {name for name in config.getoption("--without").split(",") if name}
    loaded = sorted(names & sys.modules.keys())
    if loaded:
        raise pytest.UsageError(f"{', '.join(loaded)} cannot be withheld any more: it is imported already.")
    if names:
        withholding = Withholding(names)
        sys.meta_path[sys.meta_path.index(PathFinder)] = withholding  # type: ignore[call-overload]
        sys.addaudithook(withholding.watch)
        config.pluginmanager.register(withholding)
