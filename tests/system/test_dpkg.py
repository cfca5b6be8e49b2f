from __future__ import annotations

from pathlib import Path

from fcn_edge.system.dpkg import package_versions

from ..doctor.trees import dpkg, written

NAMES = ("libnvinfer10", "libnvinfer", "nvidia-jetpack", "python3-libnvinfer")


def test_versions_of_installed_packages(tmp_path: Path) -> None:
    root = written(tmp_path, dpkg(nvidia_jetpack="6.2+b77", libnvinfer10="10.3.0.30-1+cuda12.5", curl="8.5"))
    assert package_versions(root, NAMES) == {"nvidia-jetpack": "6.2+b77", "libnvinfer10": "10.3.0.30-1+cuda12.5"}


def test_a_removed_package_is_not_installed(tmp_path: Path) -> None:
    assert package_versions(written(tmp_path, dpkg()), NAMES) == {}


def test_a_system_without_dpkg(tmp_path: Path) -> None:
    assert package_versions(tmp_path, NAMES) == {}
