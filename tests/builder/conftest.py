"""A second backend that tests can tell what to do, and builds without a command line."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends import registry
from fcn_edge.backends.base import Built, Engine, Probe, Progress
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.options import BUILD_DEFAULTS, RUN_DEFAULTS, BuildOptions, RunOptions
from fcn_edge.builder import Build, BuildRequest, build_engine
from fcn_edge.system.cpu import instruction_set
from fcn_edge.testing.engine import FakeEngine

from ..engine_damages import engine, whole

__all__ = ["add_backend", "build", "engine", "whole"]

AddBackend = Callable[..., "type[Told]"]


class Told(OnnxRuntime):
    """A backend that is ONNX Runtime under another name, but for what it is told.

    Attributes:
        kind: Kind of its device.
        problem: Why it cannot run here.
        builds: It can build here even so.
        error: What its build fails with.
        refuses: Precision of the graphs that it does so with; every one's when empty.
        scores: What its networks give instead of the model's scores.
        int8_share: What it says of its candidates.
        unknown: Convolutions that it does not tell of.
        built: Files that it was given to build.
    """

    name = "other"
    plan_file = "other.bin"
    kind: Any = "cpu"
    problem = ""
    builds = False
    error: Exception | None = None
    refuses = ""
    scores: Any = None
    int8_share: float | None = None
    unknown = 0
    built: list[Path]

    def probe(self, device: int = 0) -> Probe:
        made = DeviceInfo(self.kind, "Other", instruction_set() if self.kind == "cpu" else "8.7")
        if self.problem:
            targets = (made,) if self.builds else ()
            return Probe("5.0" if self.builds else "", targets=targets, problem=self.problem, fix="Fix it.")
        return Probe("5.0", (made,))

    def build(
        self,
        typed_onnx: Path,
        directory: Path,
        size: Size,
        options: BuildOptions = BUILD_DEFAULTS,
        progress: Progress | None = None,
    ) -> Built:
        made = super().build(typed_onnx, directory, size, options, progress)
        self.built.append(typed_onnx)
        if self.error and self.refuses in typed_onnx.name:
            raise self.error
        return Built(made.files, {"steps": ["told"]}, self.int8_share, self.unknown)

    def open(self, directory: Path, spec: ModelSpec, size: Size, options: RunOptions = RUN_DEFAULTS) -> Engine:
        if self.problem:
            pytest.fail("a candidate was opened that cannot run here")
        if self.scores is None:
            return super().open(directory, spec, size, options)
        return FakeEngine(spec, size, self.scores)


@pytest.fixture
def add_backend(monkeypatch: pytest.MonkeyPatch, onnxruntime_alone: None) -> AddBackend:
    """Puts a second backend into the table; set the class's attributes to tell what it does."""

    def add(name: str = "other", kind: str = "cpu") -> type[Told]:
        made = type("Made", (Told,), {"name": name, "kind": kind, "built": []})
        holder = types.ModuleType(f"told_{name}")
        holder.Made = made  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, holder.__name__, holder)
        entry = registry.BackendEntry(holder.__name__, "Made", name, "cpu", kind, "tests")
        monkeypatch.setattr(registry, "BACKENDS", MappingProxyType({**registry.BACKENDS, name: entry}))
        return made

    return add


@pytest.fixture
def build() -> Callable[..., Build]:
    """``build(model, output, **request)``."""

    def built(
        model: Path | str, output: Path | None, *, if_stale: bool = False, tell: Any = lambda _: None, **request: Any
    ) -> Build:
        return build_engine(model, BuildRequest(**request), output=output, if_stale=if_stale, tell=tell)

    return built
