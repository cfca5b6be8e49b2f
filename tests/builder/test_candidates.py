from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends.options import BuildOptions
from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.builder.candidates import candidates_of
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import UsageError


@pytest.mark.parametrize("name", [name for name, entry in BACKENDS.items() if entry.device == "cuda"])
def test_backends_of_gpus_take_one_frame_at_a_time(tmp_path: Path, tiny: Any, name: str) -> None:
    """Whether their library is here or not."""
    with pytest.raises(UsageError, match=f"A batch of 4 was asked for, and {name} takes one frame at a time"):
        candidates_of(resolved_model(tiny.path), BuildRequest(backend=name, batch=4), None)
    with pytest.raises(UsageError, match=f"{name} takes one frame at a time"):
        backend(name).build(tiny.path, tmp_path, (64, 96), BuildOptions(batch=4))
