from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.base import Probe
from fcn_edge.backends.registry import BACKENDS, BackendEntry
from fcn_edge.doctor import software
from fcn_edge.system.facts import MachineFacts, read_facts
from fcn_edge.version import __version__

from .trees import facts, written


def installed(root: Path, **packages: str) -> MachineFacts:
    return facts(root, installed={name.replace("_", "-"): version for name, version in packages.items()})


def with_gpu(root: Path, gpu: bool) -> MachineFacts:
    return facts(written(root, {"dev/nvidia0": ""}) if gpu else root)


def test_this_installation() -> None:
    here = read_facts()
    assert __version__ in software.python(here).found
    assert software.base(here).ok


def test_every_backend_is_asked(tmp_path: Path) -> None:
    checks = software.backends(with_gpu(tmp_path, True))
    assert [check.name for check in checks] == [f"backend {name}" for name in BACKENDS]
    assert all(check.ok or check.fix for check in checks)


@pytest.mark.parametrize(
    ("able", "gpu", "faults"),
    [
        ({"small", "fast"}, True, {"small": "ok", "fast": "ok"}),
        ({"small"}, True, {"small": "ok", "fast": "no"}),
        ({"small"}, False, {"small": "ok"}),
        (set(), True, {"small": "FAIL", "fast": "FAIL"}),
        (set(), False, {"small": "FAIL"}),
    ],
)
def test_one_backend_is_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, able: set[str], gpu: bool, faults: dict[str, str]
) -> None:
    entries = {
        "small": BackendEntry("m", "C", "smalllib", "small", "cpu", "any CPU"),
        "fast": BackendEntry("m", "C", "fastlib", "fast", "cuda", "NVIDIA GPUs"),
    }

    class Asked:
        def __init__(self, name: str) -> None:
            self.name = name

        def probe(self, device: int = 0) -> Probe:
            if self.name in able:
                return Probe("1.0", (DeviceInfo("cpu", "x", "y"),))
            return Probe("", problem="It is not installed.", fix=f"pip install {self.name}")

    monkeypatch.setattr(software, "BACKENDS", entries)
    monkeypatch.setattr(software, "backend", Asked)
    checks = {check.name.removeprefix("backend "): check for check in software.backends(with_gpu(tmp_path, gpu))}
    marks = {name: "ok" if one.ok else "FAIL" if one.required else "no" for name, one in checks.items()}
    assert marks == faults
    if not checks["small"].ok:
        assert checks["small"].found == "It is not installed. It is for any CPU."


def test_a_missing_base_package(tmp_path: Path) -> None:
    check = software.base(installed(tmp_path, numpy="2.0"))
    assert not check.ok
    assert "numpy 2.0, pydantic is not installed" in check.found


def test_an_extra(tmp_path: Path) -> None:
    both, one = installed(tmp_path, torch="2.6", onnx="1.16"), installed(tmp_path, onnx="1.16")
    check = software.extra("export", ("torch", "onnx"), "train and export", both)
    assert (check.ok, check.found, check.fix) == (True, "torch 2.6, onnx 1.16", "")
    check = software.extra("export", ("torch", "onnx"), "train and export", one)
    assert (check.ok, check.found) == (False, "torch is not installed, onnx 1.16")
    assert check.fix == "pip install 'fcn_edge[export]'"
    assert not check.required


def test_rivals(tmp_path: Path) -> None:
    names = ("onnxruntime", "onnxruntime-gpu")
    assert software.rivals(*names, installed(tmp_path, onnxruntime="1.18")) is None
    check = software.rivals(*names, installed(tmp_path, onnxruntime="1.18", onnxruntime_gpu="1.18"))
    assert check is not None
    assert not check.ok
    assert "onnxruntime-gpu" in check.fix
