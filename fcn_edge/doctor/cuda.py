"""What brings CUDA to Python, and the toolkit that one of them needs."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.cuda_driver import Driver
from fcn_edge.system.cuda_wheels import wheels
from fcn_edge.system.nvidia import NvidiaFacts
from fcn_edge.system.software import SoftwareFacts

__all__ = ["bindings", "onnxruntime_gpu"]

NAME = "CUDA from Python"
NVRTC = "nvidia-cuda-nvrtc"
"""NVRTC from CUDA 13 on; the one of CUDA 12 has another name."""
NEWEST = 13
CHOICES = ("cuda-python", "pycuda")
"""What FCN_EDGE_CUDA may name."""


def bindings(nvidia: NvidiaFacts, software: SoftwareFacts, chosen: str = "") -> Check:
    """What the program takes: cuda-python with NVRTC, or pycuda with a compiler where that is alone or chosen.

    Args:
        nvidia: The GPU's driver, and which parts of a CUDA toolkit there are.
        software: What is installed.
        chosen: What the environment variable ``FCN_EDGE_CUDA`` names; empty where it is not set.
    """
    python, pycuda, driver = software.version("cuda-bindings"), software.version("pycuda"), nvidia.driver
    missing = [name for name, there in (("nvcc", nvidia.has_nvcc), ("cuda.h", nvidia.has_header)) if not there]
    if chosen not in ("", *CHOICES):
        found = f"FCN_EDGE_CUDA is {chosen!r}; {' or '.join(CHOICES)} was expected"
        return Check(NAME, False, found, "unset FCN_EDGE_CUDA")
    if chosen == "pycuda" and pycuda is None:
        found = "FCN_EDGE_CUDA=pycuda, and pycuda is not installed"
        return Check(NAME, False, found, "unset FCN_EDGE_CUDA, or pip install 'fcn_edge[pycuda]'")
    if python is not None and chosen != "pycuda":
        return _cuda_python(python, software.version(NVRTC), driver)
    if chosen == "cuda-python":
        return Check(NAME, False, "FCN_EDGE_CUDA=cuda-python, and cuda-python is not installed", _wheels(driver))
    if pycuda is not None:
        return _pycuda(pycuda, missing, driver, chosen)
    if missing:
        return Check(NAME, False, "neither cuda-python nor pycuda is installed", _wheels(driver))
    fix = (
        f"{_wheels(driver)} (needs no compiler), or CUDA_ROOT=/usr/local/cuda pip install pycuda (compiles for minutes)"
    )
    return Check(NAME, False, "a CUDA toolkit, and neither cuda-python nor pycuda to use it", fix)


def onnxruntime_gpu(nvidia: NvidiaFacts, software: SoftwareFacts) -> Check:
    """ONNX Runtime for NVIDIA GPUs, which PyPI has for desktops and servers only."""
    name, version = "onnxruntime-gpu", software.version("onnxruntime-gpu")
    if version is not None:
        return Check(name, True, version)
    found = "not installed; it runs .onnx files on the GPU without a build"
    install = _wheels(nvidia.driver).replace("fcn_edge[cuda", "fcn_edge[gpu")
    return Check(name, False, found, f"pip uninstall -y onnxruntime && {install}")


def _pycuda(version: str, missing: list[str], driver: Driver, chosen: str) -> Check:
    if not missing:
        better = "" if chosen else f"; cuda-python has them: {_wheels(driver)}"
        return Check(NAME, True, f"pycuda {version}, which has no CUDA graphs{better}")
    toolkit = f"cuda-toolkit-{driver.cuda.replace('.', '-')}" if driver.cuda else "cuda-toolkit"
    fix = f"{_wheels(driver)} (needs no compiler), or sudo apt-get install {toolkit}"
    if chosen:
        fix = f"unset FCN_EDGE_CUDA && {fix}"
    return Check(NAME, False, f"pycuda {version} without {' and '.join(missing)}: it compiles no kernels", fix)


def _cuda_python(version: str, nvrtc: str | None, driver: Driver) -> Check:
    """Both parts must be of the driver's CUDA or older: it refuses the code of a newer compiler."""
    parts = {"cuda-python": version, NVRTC: nvrtc}
    newer = [
        f"{name} {one}"
        for name, one in parts.items()
        if one and driver.major and int(one.partition(".")[0]) > driver.major
    ]
    if not newer:
        return Check(NAME, True, f"cuda-python {version}")
    fix = f"pip uninstall -y {NVRTC} && {_wheels(driver)}" if NVRTC in newer[-1] else _wheels(driver)
    needs = "needs" if len(newer) == 1 else "need"
    return Check(NAME, False, f"{' and '.join(newer)} {needs} a newer driver than one for {driver.cuda}", fix)


def _wheels(driver: Driver) -> str:
    """The command that installs cuda-python and NVRTC of the driver's CUDA: the newest may need a newer driver."""
    return wheels(driver.major or NEWEST)
