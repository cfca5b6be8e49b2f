"""What the tests of the backends share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Callable[..., Rig]:
    def make(**how: Any) -> Rig:
        return Rig(tmp_path, **how)

    return make
