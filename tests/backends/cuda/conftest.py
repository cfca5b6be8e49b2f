"""What the tests of the backends share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Makes rigs; at the end they are closed, and nothing may be left on their GPUs."""
    made: list[Rig] = []

    def make(**how: Any) -> Rig:
        made.append(Rig(tmp_path, **how))
        return made[-1]

    yield make
    for one in made:
        one.engine.close()
        assert one.gpu.leftovers == []
