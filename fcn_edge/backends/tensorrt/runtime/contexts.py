"""Execution contexts of an engine, with what TensorRT-RTX compiles kept from start to start.

A plan of TensorRT-RTX holds its kernels as source and compiles them where it runs, at every start but for a runtime
cache. It also captures CUDA graphs by itself, because only it knows when a stream will see no more of its compiler.
TensorRT's plans hold code; it has neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fcn_edge.backends.cuda.kernel_cache import cache_directory, keep, kept
from fcn_edge.io.files import sha256_of

__all__ = ["Contexts"]


class Contexts:
    """Makes the contexts of one engine.

    Args:
        library: ``tensorrt`` or ``tensorrt_rtx``.
        engine: Engine of the library.
        plan: File of the engine; read where compiled kernels are kept, for they are found by its content.
        capability: Compute capability of the GPU.
        graphs: Let TensorRT-RTX capture CUDA graphs.
    """

    def __init__(self, library: Any, engine: Any, plan: Path, capability: str, *, graphs: bool) -> None:
        self._engine = engine
        self._path: Path | None = None
        self._written: bytes | None = None
        self._cache: Any = None
        self._config = _configuration_of(engine)
        if self._config is not None:
            self._path = _compiled_file(plan, library.__version__, capability)
            self._cache = self._filled_cache()
            self._config.set_runtime_cache(self._cache)
            if graphs:
                self._config.cuda_graph_strategy = library.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE

    def make(self) -> Any:
        """A context; None where the library cannot make one."""
        if self._config is None:
            return self._engine.create_execution_context()
        return self._engine.create_execution_context(self._config)

    def keep(self) -> None:
        """Write what was compiled since the last time."""
        if self._cache is None or self._path is None:
            return
        content = bytes(self._cache.serialize())
        if content != self._written:
            keep(self._path, content)
            self._written = content

    def _filled_cache(self) -> Any:
        cache = self._config.create_runtime_cache()
        content = None if self._path is None else kept(self._path)
        if content is None:
            return cache
        if not cache.deserialize(content):  # another driver's, for instance
            return self._config.create_runtime_cache()
        self._written = content
        return cache


def _configuration_of(engine: Any) -> Any:
    """A configuration with a cache; None where there is none, as in TensorRT, whose own (from 10.13 on) have none."""
    configuration = engine.create_runtime_config() if hasattr(engine, "create_runtime_config") else None
    return configuration if hasattr(configuration, "create_runtime_cache") else None


def _compiled_file(plan: Path, version: str, capability: str) -> Path | None:
    """Where the compiled kernels of a plan are kept; None where the user has no directory."""
    try:
        base = cache_directory().parent
    except RuntimeError:
        return None
    return base / "compiled" / f"{version}-{capability}-{sha256_of(plan)}.bin"
