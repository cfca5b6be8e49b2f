"""An NVIDIA GPU that a model on the processor leaves idle, and how to use it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends import registry
from fcn_edge.system.cuda_driver import Driver, loaded_driver
from fcn_edge.system.nvidia import has_nvidia_gpu
from fcn_edge.text import quoted

__all__ = ["idle_gpu"]

_REACHING = ("cuda-bindings", "pycuda")
"""Distributions of which every backend for GPUs needs one: JetPack's TensorRT alone reaches no GPU from here."""


def idle_gpu(
    model: Model,
    size: Size,
    asked_for: str,
    *,
    root: Path = Path("/"),
    driver: Callable[[], Driver] = loaded_driver,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """What to tell who runs a model on the processor beside a GPU; empty where there is none, or it was meant so.

    It takes a few looks for device files where there is no GPU. Where there is one its driver is asked, which makes no
    context; no backend's library is imported.

    Args:
        model: What runs.
        size: ``(height, width)`` of the network's input.
        asked_for: The backend that the user named, or ``auto``.
        root: Where ``/dev`` is found.
        driver: What the driver's library says.
        environ: The environment variables.
    """
    if asked_for != "auto" or _was_chosen(model) or not has_nvidia_gpu(root):
        return ""
    gpus = driver().gpus
    if not gpus and environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):  # who hides the GPU wants the processor
        return ""
    if not gpus:
        return "An NVIDIA GPU is here and cannot be used: fcn-edge doctor says why. This runs on the CPU."
    idle = f"An NVIDIA GPU ({gpus[0].name}) is here, and this runs on the CPU"
    backend = next(filter(_is_installed, registry.BACKENDS), None)
    if backend is None:
        return f"{idle}, because no library for the GPU is installed: fcn-edge doctor gives the command."
    if not any(map(_is_there, _REACHING)):
        return f"{idle}, because neither cuda-python nor pycuda is installed: fcn-edge doctor gives the command."
    return f"{idle}. To use it: {_build(model, size, backend)}"


def _was_chosen(model: Model) -> bool:
    """Whether an engine is for the processor because its user named that, or because a build found it faster there."""
    if model.engine_manifest is None:
        return False
    options = model.engine_manifest.options
    considered = options.get("considered")
    names = [str(one).partition(" ")[0] for one in considered] if isinstance(considered, list) else []
    return options.get("backend", "auto") != "auto" or any(_is_for_gpus(name) for name in names)


def _is_for_gpus(name: str) -> bool:
    return name in registry.BACKENDS and registry.BACKENDS[name].device == "cuda"


def _is_installed(name: str) -> bool:
    """Whether a backend is for GPUs and its library is here, which need not be a module of that name."""
    library = registry.BACKENDS[name].library
    return _is_for_gpus(name) and (find_spec(library) is not None or _is_there(library))


def _is_there(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False


def _build(model: Model, size: Size, backend: str) -> str:
    """The command that builds an engine for the GPU."""
    manifest = model.engine_manifest
    source = manifest.model if manifest else str(model.shipped or model.path)
    # a typed graph is typed for the processor
    typed = manifest is None and model.spec.precision != "fp32"
    named = "MODEL" if typed else quoted(source)
    sized = "" if size == model.spec.size else f" --size {size[0]}x{size[1]}"
    told = ", where MODEL is the fp32 model that this one was made from" if typed else ""
    return f"fcn-edge build {named} --backend {backend} --precision fp16{sized}{told}"
