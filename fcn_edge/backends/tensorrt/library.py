"""The one place that imports TensorRT or TensorRT-RTX, whose Python APIs are the same but for what this module tells.

What a version can do is asked of its attributes, never of its number; and enumerations are used by name, because their
numbers differ between versions: bit 1 of a network's flags is strong typing in TensorRT 10 and something else in 11.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fcn_edge.backends.registry import BACKENDS
from fcn_edge.errors import MachineError, MissingExtraError

__all__ = ["TITLES", "compute_capabilities", "full_name", "library", "typed_flags", "weak_flags"]

TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
"""What the libraries are called, by the name of their backend."""

_JETSON = Path("etc/nv_tegra_release")
_LEAST_PORTABLE = (8, 0)


@cache
def library(name: str, root: Path = Path("/")) -> Any:
    """The Python module of a backend's library.

    Args:
        name: Name of the backend.
        root: Where ``/etc`` is found.

    Raises:
        MissingExtraError: It is not installed.
        MachineError: It is installed and cannot be loaded, or it is too old.
    """
    entry, title = BACKENDS[name], TITLES[name]
    try:
        trt = import_module(entry.library)
    except ModuleNotFoundError as error:
        if error.name != entry.library:
            raise
        if name == "tensorrt" and (root / _JETSON).exists():
            raise MachineError(
                "TensorRT's Python package is not visible here; JetPack installs it for the system's Python only.",
                "Install it with: sudo apt install python3-libnvinfer; and make virtual environments with: "
                "python3 -m venv --system-site-packages",
            ) from error
        missing = MissingExtraError(entry.library, entry.extra, f"Building and running {title} engines")
        if name == "tensorrt":
            missing.fix += ", or with a driver for CUDA 12: pip install tensorrt-cu12"
        raise missing from error
    except (ImportError, OSError) as error:
        raise MachineError(
            f"{title} is installed and cannot be loaded: {str(error).rstrip('.')}.",
            "Its Python package and its libraries must be of one version and for this system; install both again.",
        ) from error
    flags = trt.NetworkDefinitionCreationFlag
    if hasattr(flags, "EXPLICIT_BATCH") and not hasattr(flags, "STRONGLY_TYPED"):
        raise MachineError(
            f"{title} {trt.__version__} is installed; 10.0 or newer was expected.",
            "On a Jetson, JetPack 6.1 and newer bring it; elsewhere: pip install -U tensorrt, or tensorrt-cu12 with a "
            "driver for CUDA 12",
        )
    return trt


def full_name(trt: Any) -> str:
    """What a library is called, with its version, such as ``TensorRT 10.3.0``."""
    title = TITLES["tensorrt-rtx" if "rtx" in trt.__name__ else "tensorrt"]
    return f"{title} {trt.__version__}"


def typed_flags(trt: Any) -> int:
    """Flags of a network whose tensors keep the types that the graph gives them; later versions know no other."""
    flags = trt.NetworkDefinitionCreationFlag
    return 1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0


def weak_flags(trt: Any) -> int | None:
    """Flags of a network whose types the builder may choose; None where that is gone, from TensorRT 11 on."""
    flags = trt.NetworkDefinitionCreationFlag
    precisions = all(hasattr(trt.BuilderFlag, flag) for flag in ("FP16", "INT8"))
    return 1 << int(flags.EXPLICIT_BATCH) if precisions and hasattr(flags, "EXPLICIT_BATCH") else None


def compute_capabilities(trt: Any) -> tuple[str, ...]:
    """Compute capabilities that the library builds for on a machine without them, such as ``8.6``; empty if for none.

    Those before 8.0 are left out: they have no kernels in common with the rest, and a plan for both is 17 times as big.
    """
    kinds = getattr(trt, "ComputeCapability", None)
    names = [name for name in getattr(kinds, "__members__", {}) if name.startswith("SM")]
    pairs = sorted((int(name[2:-1]), int(name[-1])) for name in names)
    return tuple(f"{major}.{minor}" for major, minor in pairs if (major, minor) >= _LEAST_PORTABLE)
