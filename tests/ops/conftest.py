"""Fixtures of the tests of ``ops``."""

from __future__ import annotations

import pytest

from .emulator import Emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    """Runs kernels on the host; compiles each once."""
    return Emulator(tmp_path_factory.mktemp("kernels"))
