"""What brings CUDA to Python, and the toolkit that one of them needs."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.driver import Driver
from fcn_edge.doctor.probes import Probes, Versions

__all__ = ["bindings", "onnxruntime_gpu"]

NAME = "CUDA from Python"
HEADERS = ("usr/local/cuda/include/cuda.h", "usr/include/cuda.h")


def bindings(root: Path, probes: Probes, driver: Driver) -> Check:
    """cuda-python, or else pycuda with the compiler that it needs.

    Args:
        root: Where ``/usr`` is found.
        probes: What is asked of the running system.
        driver: What the driver library says.
    """
    python, pycuda = probes.versions("cuda-bindings"), probes.versions("pycuda")
    wheels = _wheels(driver)
    missing = _missing_of_toolkit(root, probes)
    if python is not None:
        if driver.cuda and int(python.partition(".")[0]) > int(driver.cuda.partition(".")[0]):
            return Check(NAME, False, f"cuda-python {python} needs a newer driver than one for {driver.cuda}", wheels)
        return Check(NAME, True, f"cuda-python {python}")
    if pycuda is not None and missing:
        toolkit = f"cuda-toolkit-{driver.cuda.replace('.', '-')}" if driver.cuda else "cuda-toolkit"
        fix = f"{wheels} (needs no compiler), or sudo apt-get install {toolkit}"
        return Check(NAME, False, f"pycuda {pycuda} without {' and '.join(missing)}: it compiles no kernels", fix)
    if pycuda is not None:
        return Check(NAME, True, f"pycuda {pycuda}")
    if missing:
        return Check(NAME, False, "neither cuda-python nor pycuda is installed", wheels)
    fix = f"{wheels} (needs no compiler), or CUDA_ROOT=/usr/local/cuda pip install pycuda (compiles for minutes)"
    return Check(NAME, False, "a CUDA toolkit, and neither cuda-python nor pycuda to use it", fix)


def onnxruntime_gpu(versions: Versions) -> Check:
    """ONNX Runtime for NVIDIA GPUs, which PyPI has for desktops and servers only."""
    name, version = "onnxruntime-gpu", versions("onnxruntime-gpu")
    if version is not None:
        return Check(name, True, version)
    found = "not installed; it runs .onnx files on the GPU without a build"
    return Check(name, False, found, "pip uninstall -y onnxruntime && pip install 'fcn_edge[gpu]'")


def _wheels(driver: Driver) -> str:
    """The command that installs cuda-python of the driver's CUDA: the newest may need a newer driver."""
    pin = f" 'cuda-python=={driver.cuda.partition('.')[0]}.*'" if driver.cuda else ""
    return f"pip install 'fcn_edge[cuda]'{pin}"


def _missing_of_toolkit(root: Path, probes: Probes) -> list[str]:
    nvcc = probes.which("nvcc") or (root / "usr/local/cuda/bin/nvcc").is_file()
    header = any((root / place).is_file() for place in HEADERS)
    return [name for name, there in (("nvcc", nvcc), ("cuda.h", header)) if not there]
