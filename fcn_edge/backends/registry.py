"""The backends that there are, in one literal table. Nothing of a backend is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from fcn_edge.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from fcn_edge.backends.base import Backend

__all__ = ["BACKENDS", "BackendEntry", "available_backends", "backend", "preferred_backend"]


@dataclass(frozen=True)
class BackendEntry:
    """One line of the table.

    Attributes:
        module: Module that holds the backend.
        class_name: The backend's class in it.
        library: Python package that it runs on.
        extra: Extra of fcn_edge that brings the package.
        device: Kind of device that it is for.
        purpose: What it is for, for people.
    """

    module: str
    class_name: str
    library: str
    extra: str
    device: Literal["cpu", "cuda"]
    purpose: str


BACKENDS: Mapping[str, BackendEntry] = MappingProxyType(
    {
        "onnxruntime": BackendEntry(
            "fcn_edge.backends.onnxruntime.cpu",
            "OnnxRuntime",
            "onnxruntime",
            "cpu",
            "cpu",
            "any CPU; runs .onnx files as is",
        ),
        "openvino": BackendEntry(
            "fcn_edge.backends.openvino.backend",
            "OpenVino",
            "openvino",
            "openvino",
            "cpu",
            "x86-64 and 64-bit ARM CPUs; runs .onnx files as is",
        ),
        "tensorrt": BackendEntry(
            "fcn_edge.backends.tensorrt",
            "TensorRT",
            "tensorrt",
            "tensorrt",
            "cuda",
            "NVIDIA GPUs and Jetson boards",
        ),
        "tensorrt-rtx": BackendEntry(
            "fcn_edge.backends.tensorrt",
            "TensorRTRTX",
            "tensorrt_rtx",
            "rtx",
            "cuda",
            "GeForce and RTX GPUs from Ampere on; builds on any machine",
        ),
        "onnxruntime-cuda": BackendEntry(
            "fcn_edge.backends.onnxruntime.cuda",
            "OnnxRuntimeCuda",
            "onnxruntime-gpu",
            "gpu",
            "cuda",
            "NVIDIA GPUs; runs .onnx files as is",
        ),
    }
)
"""The backends by name, the one that ``auto`` prefers first."""


def backend(name: str) -> Backend:
    """The backend of a name; its library need not be installed.

    Raises:
        UsageError: There is no such backend.
    """
    if name not in BACKENDS:
        known = "; ".join(f"{key} ({entry.purpose})" for key, entry in BACKENDS.items())
        raise UsageError(f"There is no backend {name!r}.", f"There is: {known}.")
    entry = BACKENDS[name]
    made: Backend = getattr(import_module(entry.module), entry.class_name)()
    return made


def available_backends(device: int = 0) -> tuple[Backend, ...]:
    """The backends that can run on this machine, the preferred one first.

    Args:
        device: Index of the GPU that those for GPUs are to run on.

    Raises:
        MissingExtraError: There is none.
    """
    found = tuple(_available(device))
    if not found:
        raise _none()
    return found


def preferred_backend(device: int = 0) -> Backend:
    """The first backend that can run on this machine; the libraries of those after it are not imported.

    Args:
        device: Index of the GPU that those for GPUs are to run on.

    Raises:
        MissingExtraError: There is none.
    """
    found = next(_available(device), None)
    if found is None:
        raise _none()
    return found


def _available(device: int) -> Iterator[Backend]:
    return (made for made in map(backend, BACKENDS) if made.probe(device).available)


def _none() -> MissingExtraError:
    first = next(iter(BACKENDS.values()))
    return MissingExtraError(first.library, first.extra, "Running a network")
