"""Whole machines that are played, and what is read of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.system.cuda_driver import Driver
from fcn_edge.system.facts import ENVIRONMENT, read_facts
from fcn_edge.system.probes import Probes

from ..doctor import trees
from ..doctor.trees import facts, probes

Tree = Callable[[Path], Path]


def test_this_machine() -> None:
    found = read_facts()
    assert found.cpu.cores >= 1
    assert found.software.version("numpy")
    assert found.software.opencv.version
    assert json.loads(json.dumps(found.to_json()))["cpu"]["name"] == found.cpu.name


def test_an_orin_nano(tmp_path: Path) -> None:
    found = facts(trees.jetpack_62(tmp_path), installed={"numpy": "1.26.4"})
    assert found.jetson is not None
    assert found.nvidia is not None
    assert found.memory is not None
    assert (found.jetson.l4t, found.nvidia.driver, found.memory.swap_on_disk_bytes) == ("36.4.3", trees.ORIN, 0)
    assert found.debian == {"python3-libnvinfer": "10.3.0.30-1+cuda12.5", "nvidia-jetpack": "6.2+b77"}
    said = found.to_json()
    assert said["jetson"] == {
        "board": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        "l4t": "36.4.3",
        "jetpack": "6.2",
        "power_mode": "15W",
    }
    assert said["nvidia"]["cuda"] == "12.6"
    assert said["nvidia"]["gpus"] == [{"name": "Orin", "compute_capability": "8.7", "multiprocessors": 8}]
    assert said["cpu"]["name"] == said["jetson"]["board"], "its processor has no name of its own"
    assert said["software"]["packages"] == {"numpy": "1.26.4"}
    assert said["software"]["debian"] == found.debian


def test_a_desktop(tmp_path: Path) -> None:
    found = facts(trees.desktop(tmp_path), trees.DESKTOP_GPU)
    said = found.to_json()
    assert said["jetson"] is None
    assert said["nvidia"] == {
        "names": ("NVIDIA GeForce RTX 4070",),
        "driver": "570.86.15",
        "cuda": "12.8",
        "gpus": [{"name": "NVIDIA GeForce RTX 4070", "compute_capability": "8.9", "multiprocessors": 46}],
        "problem": None,
    }


def test_a_machine_without_nvidia_hardware_is_not_asked_for_a_driver(tmp_path: Path) -> None:
    def unasked() -> Driver:
        raise AssertionError("no driver is to be looked for")

    root = trees.written(trees.plain(tmp_path), trees.dpkg(nvidia_jetpack="6.2"))
    found = facts(root, driver=unasked)
    assert (found.nvidia, found.jetson, found.debian) == (None, None, {})


def test_a_system_without_files(tmp_path: Path) -> None:
    found = facts(tmp_path)
    assert (found.memory, found.cpu.features, found.cpu.clocks_mhz, found.cameras) == (None, None, (), ())
    assert json.dumps(found.to_json())


@pytest.mark.parametrize("tree", [trees.jetpack_62, trees.jetpack_71, trees.desktop, trees.plain])
def test_every_file_and_every_probe_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree) -> None:
    asked: Counter[object] = Counter()
    read = Path.read_text

    def counted(path: Path, *how: Any, **ways: Any) -> str:
        asked[path] += 1
        return read(path, *how, **ways)

    def counting(name: str, probe: Callable[..., Any]) -> Callable[..., Any]:
        def asking(*arguments: object) -> Any:
            asked[(name, *arguments)] += 1
            return probe(*arguments)

        return asking

    root, played = tree(tmp_path), probes()
    trees.written(root, {"proc/cpuinfo": "Features : asimd\n", "etc/nvpmodel.conf": trees.ORIN_NANO_MODES})
    trees.written(root, {"usr/bin/python3": "", "proc/modules": "", "etc/group": ""})
    (root / "var/lib/nvpmodel/status").unlink(missing_ok=True)
    questions = ("versions", "importable", "driver", "which", "nvpmodel", "gstreamer", "identity", "opencv")
    counting_probes: dict[str, Any] = {name: counting(name, getattr(played, name)) for name in questions}
    monkeypatch.setattr(Path, "read_text", counted)
    read_facts(root, Probes(**counting_probes, environ={}))
    assert asked[root / "proc/cpuinfo"] == 1
    assert asked["opencv",] == asked["gstreamer",] == 1
    assert {what: times for what, times in asked.items() if times > 1} == {}


def test_only_named_variables_are_kept(tmp_path: Path) -> None:
    found = facts(tmp_path, environ={"OMP_NUM_THREADS": "2", "TOKEN": "secret"})
    assert found.environment == {"OMP_NUM_THREADS": "2"}
    assert "OMP_NUM_THREADS" in ENVIRONMENT


def test_reports_hold_no_paths_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = facts(trees.jetpack_62(tmp_path), prefix=Path("/home/jane/.venv"))
    assert found.disk.directory == tmp_path
    said = json.dumps(found.to_json())
    assert "jane" not in said
    assert str(tmp_path) not in said
