"""What this machine is, read once: the doctor judges it, and benchmarks print it beside their numbers."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fcn_edge.system.account import AccountFacts, read_account
from fcn_edge.system.cameras import CameraFacts, read_cameras
from fcn_edge.system.cpu import CpuFacts, board_name, read_cpu
from fcn_edge.system.dpkg import package_versions
from fcn_edge.system.gstreamer import GStreamerFacts, read_gstreamer
from fcn_edge.system.jetson import JetsonFacts, in_container, read_jetson
from fcn_edge.system.memory import DiskFacts, MemoryFacts, read_disk, read_memory
from fcn_edge.system.nvidia import NvidiaFacts, read_nvidia
from fcn_edge.system.probes import Probes
from fcn_edge.system.software import SoftwareFacts, read_software

__all__ = ["DEBIAN_PACKAGES", "ENVIRONMENT", "MachineFacts", "read_facts"]

DEBIAN_PACKAGES = ("nvidia-jetpack", "python3-libnvinfer")
"""Debian packages whose versions are read where there is NVIDIA hardware."""

ENVIRONMENT = (
    *("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("ONEDNN_MAX_CPU_ISA", "FCN_EDGE_CUDA", "DISPLAY", "WAYLAND_DISPLAY"),
)
"""Environment variables that are read: those that steer threads, instructions and GPUs, and those that name a
screen."""


@dataclass(frozen=True)
class MachineFacts:
    """A machine at the moment when it was read.

    Attributes:
        system: The operating system, such as ``Linux-5.15.148-tegra-aarch64-with-glibc2.35``.
        container: The system's files are a container's.
        cpu: The processor.
        memory: Memory; None where the system does not tell.
        disk: The disk of the working directory.
        jetson: The board; None where it is no Jetson.
        nvidia: NVIDIA hardware and driver; None where there is none.
        debian: Version of each installed package of ``DEBIAN_PACKAGES``; empty where there is no NVIDIA hardware.
        cameras: Video devices.
        gstreamer: The system's GStreamer.
        account: What this process may open.
        software: What is installed.
        environment: Those of ``ENVIRONMENT`` that are set.
    """

    system: str
    container: bool
    cpu: CpuFacts
    memory: MemoryFacts | None
    disk: DiskFacts
    jetson: JetsonFacts | None
    nvidia: NvidiaFacts | None
    debian: Mapping[str, str]
    cameras: tuple[CameraFacts, ...]
    gstreamer: GStreamerFacts
    account: AccountFacts
    software: SoftwareFacts
    environment: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values, without paths of this user's: reports are shown to others."""
        python, opencv = self.software.python, self.software.opencv
        return {
            "system": self.system,
            "container": self.container,
            "cpu": asdict(self.cpu),
            "memory": asdict(self.memory) if self.memory else None,
            "disk_free_bytes": self.disk.free_bytes,
            "jetson": _json_of_jetson(self.jetson) if self.jetson else None,
            "nvidia": _json_of_nvidia(self.nvidia) if self.nvidia else None,
            "cameras": [{"device": one.device, "name": one.name} for one in self.cameras if one.exists],
            "software": {
                "python": python.version,
                "packages": {name: version for name, version in self.software.packages.items() if version},
                "opencv": {"version": opencv.version, "libraries": opencv.libraries, "gui": opencv.gui},
                "gstreamer": self.gstreamer.version or None,
                "debian": dict(self.debian),
            },
            "environment": dict(self.environment),
        }


def read_facts(root: Path = Path("/"), probes: Probes | None = None) -> MachineFacts:
    """Read what this machine is; every file and every probe is asked once at most.

    Args:
        root: Where the system's files are found.
        probes: What is asked of the running system; this one's when left out.
    """
    probes = probes or Probes()
    board = board_name(root)
    jetson = read_jetson(root, board, probes.nvpmodel)
    nvidia = read_nvidia(root, jetson, probes.driver, probes.which)
    return MachineFacts(
        system=platform.platform(),
        container=in_container(root),
        cpu=read_cpu(root, board),
        memory=read_memory(root),
        disk=read_disk(Path.cwd()),
        jetson=jetson,
        nvidia=nvidia,
        debian=package_versions(root, DEBIAN_PACKAGES) if nvidia else {},
        cameras=read_cameras(root),
        gstreamer=read_gstreamer(root, probes.gstreamer, probes.which, jetson is not None),
        account=read_account(root, probes.identity),
        software=read_software(root, probes),
        environment={name: probes.environ[name] for name in ENVIRONMENT if name in probes.environ},
    )


def _json_of_jetson(jetson: JetsonFacts) -> dict[str, Any]:
    power, known = jetson.power, jetson.jetpack
    mode = power.modes.get(power.current) if power and power.current is not None else None
    return {
        "board": jetson.board,
        "l4t": jetson.l4t or None,
        "jetpack": known.version if known else None,
        "power_mode": mode,
    }


def _json_of_nvidia(nvidia: NvidiaFacts) -> dict[str, Any]:
    driver = nvidia.driver
    return {
        "names": nvidia.names,
        "driver": nvidia.kernel_module or None,
        "cuda": driver.cuda or None,
        "gpus": [{"name": name, "compute_capability": capability} for name, capability in driver.gpus],
        "problem": driver.problem or None,
    }
