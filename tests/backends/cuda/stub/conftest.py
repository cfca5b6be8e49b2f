"""The scenes, played once under each pair of bindings and driver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .driver_library import StubDriver, make_driver

_ROOT = Path(__file__).resolve().parents[4]
_CUDA_12 = _ROOT / ".venv-stub12" / "bin" / "python"
_PAIRS = {"bindings 12, driver 12.6": "12.6", "bindings 12, driver 13.0": "13.0", "bindings 13, driver 13.0": "13.0"}


@dataclass(frozen=True)
class Played:
    """What came of the scenes.

    Attributes:
        report: What the process told, by scene.
        directory: Its masks and calls.
        driver: CUDA version that the driver posed as, as CUDA writes it.
        bindings: Major version of the bindings.
    """

    report: dict[str, Any]
    directory: Path
    driver: int
    bindings: int


@pytest.fixture(scope="session")
def stub_driver(tmp_path_factory: pytest.TempPathFactory) -> StubDriver:
    return make_driver(tmp_path_factory.mktemp("stub"))


@pytest.fixture(scope="session", params=list(_PAIRS))
def played(request: pytest.FixtureRequest, stub_driver: StubDriver, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """What came of the scenes, which another process played over the real bindings."""
    driver, bindings = _PAIRS[request.param], int(request.param.split()[1].rstrip(","))
    python = str(_CUDA_12)
    if bindings == 13:
        python = sys.executable
        pytest.importorskip("cuda.bindings")
    elif not _CUDA_12.is_file():
        pytest.skip(f"no bindings of CUDA 12: make {_CUDA_12.parents[1].name}/.stub")
    directory = tmp_path_factory.mktemp("played")
    environment = stub_driver.environment(driver) | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "tests.backends.cuda.stub.scenes", str(directory)]
    subprocess.run(command, env=os.environ | environment, cwd=directory, check=True, timeout=300)
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return Played(report, directory, int(environment["FCN_EDGE_STUB_DRIVER"]), bindings)
