"""System files of machines that the tests play, and what their running systems answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from fcn_edge.system.cuda_driver import Driver, Gpu
from fcn_edge.system.facts import MachineFacts, read_facts
from fcn_edge.system.probes import Probes

MEMINFO = "MemTotal: {total} kB\nMemFree: 100 kB\nMemAvailable: {free} kB\n"
GIB_IN_KB = 1 << 20

ORIN = Driver("12.6", (Gpu("Orin", "8.7", 8),))
ORIN_ON_JETPACK_7 = Driver("13.2", (Gpu("Orin", "8.7", 16),))
THOR = Driver("13.0", (Gpu("NVIDIA Thor", "11.0", 20),))
DESKTOP_GPU = Driver("12.8", (Gpu("NVIDIA GeForce RTX 4070", "8.9", 46),))

ORIN_NANO_MODES = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
< PM_CONFIG DEFAULT=1 >
"""
GSTREAMER = ("appsink", "videoconvert", "rtspsrc", "h264parse", "avdec_h264")
ON_BOARDS = ("nvvidconv", "nvv4l2decoder", "nvarguscamerasrc")

THOR_MODES = "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=120W >\n"


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def release(major: int, revision: str) -> dict[str, str]:
    line = f"# R{major} (release), REVISION: {revision}, GCID: 1, BOARD: generic, EABI: aarch64, DATE: Thu\n"
    return {"etc/nv_tegra_release": line + "# KERNEL_VARIANT: oot\n"}


def dpkg(**packages: str) -> dict[str, str]:
    """dpkg's record; underscores stand for dashes. A package that was removed leaves its configuration behind."""
    paragraphs = [
        f"Package: {name.replace('_', '-')}\nStatus: install ok installed\nArchitecture: arm64\nVersion: {version}\n"
        f"Description: {name}\n with\n .\n more\n"
        for name, version in packages.items()
    ]
    removed = "Package: python3-libnvinfer\nStatus: deinstall ok config-files\nVersion: 8.0.1-1+cuda10.2\n"
    return {"var/lib/dpkg/status": "\n".join([removed, *paragraphs])}


def memory(free_gib: float, total_gib: float = 8, swaps: str = "") -> dict[str, str]:
    text = MEMINFO.format(total=int(total_gib * GIB_IN_KB), free=int(free_gib * GIB_IN_KB))
    return {"proc/meminfo": text, "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n" + swaps}


def jetpack_62(root: Path) -> Path:
    """An Orin Nano: 15 W although faster modes are there, little memory, a CUDA toolkit."""
    return written(
        root,
        {
            **release(36, "4.3"),
            **dpkg(python3_libnvinfer="10.3.0.30-1+cuda12.5", nvidia_jetpack="6.2+b77"),
            **memory(1.2, swaps="/dev/zram0 partition 634000 0 5\n"),
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
            "usr/lib/python3.10/dist-packages/tensorrt/__init__.py": "",
            "usr/local/cuda/bin/nvcc": "",
            "usr/local/cuda/include/cuda.h": "",
            "etc/nvpmodel.conf": ORIN_NANO_MODES,
            "var/lib/nvpmodel/status": "pmode:0000",
            "sys/class/video4linux/video0/name": "vi-output, imx219 9-0010\n",
        },
    )


def jetpack_71(root: Path) -> Path:
    """A Thor, as it should be."""
    return written(
        root,
        {
            **release(38, "4.0"),
            **dpkg(python3_libnvinfer="10.13.3.9-1+cuda13.0"),
            **memory(100, 122),
            "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
            "usr/lib/python3.12/dist-packages/tensorrt/__init__.py": "",
            "etc/nvpmodel.conf": THOR_MODES,
            "var/lib/nvpmodel/status": "pmode:0000 fmode:quiet",
        },
    )


def jetpack_72(root: Path) -> Path:
    """An AGX Orin."""
    return written(
        root,
        {
            **release(39, "2.0"),
            **dpkg(python3_libnvinfer="10.16.2.10-1+cuda13.2"),
            **memory(40, 61),
            "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
            "usr/lib/python3.12/dist-packages/tensorrt/__init__.py": "",
        },
    )


def desktop(root: Path) -> Path:
    """A desktop with a GPU and its driver."""
    return written(
        root,
        {
            **memory(20, 32),
            "proc/driver/nvidia/version": (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (x)\n"
                "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1)\n"
            ),
            "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA GeForce RTX 4070\nIRQ: 3\n",
            **pci("0x10de", "0x030000"),
        },
    )


def plain(root: Path) -> Path:
    """A machine with a graphics processor of another make, and an NVIDIA network card."""
    return written(root, {**memory(20, 32), **pci("0x1002", "0x030000"), **pci("0x10de", "0x020000", slot="0")})


def pci(vendor: str, kind: str, slot: str = "1") -> dict[str, str]:
    device = f"sys/bus/pci/devices/0000:0{slot}:00.0"
    return {f"{device}/vendor": f"{vendor}\n", f"{device}/class": f"{kind}\n"}


def gstreamer_has(*elements: str, version: str = "1.20.3") -> Callable[[], str]:
    """A GStreamer with these elements."""
    return lambda: json.dumps({"version": version, "elements": elements})


def has(*programs: str) -> Callable[[str], str | None]:
    """Finds these programs and no other."""
    return lambda program: f"/usr/bin/{program}" if program in programs else None


def probes(driver: Driver = ORIN, /, installed: dict[str, str] | None = None, **answers: Any) -> Probes:
    """Probes of a system in which nothing but ``installed`` is installed."""
    versions = dict(installed or {})
    return Probes(
        **{
            "versions": versions.get,
            "importable": lambda module: module in versions,
            "driver": lambda: driver,
            "which": lambda program: None,
            "nvpmodel": lambda: "",
            "gstreamer": lambda: "",
            "identity": lambda: (1000, frozenset({1000})),
            "environ": {},
            "prefix": Path("/home/user/fcn_edge/.venv"),
            "is_venv": True,
            "python": (3, 10),
            "machine": "x86_64",
            **answers,
        }
    )


def opencv_built_with(build: str, version: str = "4.8.0") -> Callable[[], ModuleType]:
    """Loads an OpenCV that tells this of its build."""
    module = SimpleNamespace(__version__=version, getBuildInformation=lambda: build)
    return lambda: module  # type: ignore[return-value]


def facts(
    root: Path, driver: Driver = ORIN, /, installed: dict[str, str] | None = None, **answers: Any
) -> MachineFacts:
    """What is read of a machine that is played."""
    return read_facts(root, probes(driver, installed, **answers))
