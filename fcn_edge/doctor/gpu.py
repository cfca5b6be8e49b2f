"""The NVIDIA GPU and its driver."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.account import CONTAINER_GROUPS, JOIN_GROUPS
from fcn_edge.system.facts import MachineFacts
from fcn_edge.system.nvidia import NvidiaFacts

__all__ = ["gpu"]


def gpu(facts: MachineFacts) -> Check:
    """The GPU, its driver and compute capability."""
    nvidia = facts.nvidia
    if nvidia is None:
        return Check("GPU", True, "no NVIDIA GPU; none is needed, models run on the processor")
    driver = nvidia.driver
    parts = [facts.jetson.board] if facts.jetson else _names(nvidia)
    if nvidia.kernel_module:
        parts.append(f"driver {nvidia.kernel_module}")
    if driver.cuda:
        parts.append(f"CUDA up to {driver.cuda}")
    several = len(driver.gpus) > 1
    parts += [
        f"{one.name + ': ' if several else ''}compute capability {one.capability} with {one.multiprocessors} SM"
        for one in driver.gpus
    ]
    problem = driver.problem or ("" if driver.gpus else "the driver shows no GPU")
    if problem:
        return Check("GPU", False, f"{', '.join(parts)}; {problem}", _fix(nvidia, facts))
    return Check("GPU", True, ", ".join(parts))


def _names(nvidia: NvidiaFacts) -> list[str]:
    devices = len(nvidia.devices)
    if not nvidia.names and devices:
        return [f"{devices} NVIDIA device file{'s' * (devices > 1)} in /dev"]
    return list(nvidia.names) or ["NVIDIA"]


def _fix(nvidia: NvidiaFacts, facts: MachineFacts) -> str:
    closed = nvidia.closed or nvidia.driver.forbidden
    if facts.container:
        groups = f"{CONTAINER_GROUPS} " if closed else ""
        return f"docker run --runtime nvidia {groups}..." if facts.jetson else "docker run --gpus all ..."
    if closed:
        return JOIN_GROUPS
    if facts.jetson:
        return "sudo apt-get install --reinstall nvidia-l4t-core nvidia-l4t-cuda, then reboot"
    if nvidia.kernel_module:
        major = nvidia.kernel_module.partition(".")[0]
        return f"sudo apt-get install libnvidia-compute-{major} (Debian: libcuda1), then reboot"
    return "sudo ubuntu-drivers install (Debian: sudo apt-get install nvidia-driver), then reboot"
