from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.builder.api import build
from fcn_edge.errors import UsageError
from fcn_edge.runtime.segmenter import load


@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
def test_builds_an_engine_that_runs(
    levels: Any, levels_val: Path, table_of: Callable[[Any], Path], tmp_path: Path
) -> None:
    output = tmp_path / "engine"
    built = build(levels.path, str(output), precision="int8", calibration=str(table_of(levels)), data=levels_val)
    assert (built.engine, built.manifest.precision, built.up_to_date) == (output, "int8", False)
    with load(output) as segment:
        assert segment.size == levels.spec.size
    again = build(
        resolved_model(levels.path),
        output,
        precision="int8",
        calibration=table_of(levels),
        data=str(levels_val),
        if_stale=True,
    )
    assert again.up_to_date


@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
def test_a_recipe_stands_in_for_what_is_left_out(tiny: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('description = "mine"\ntested_on = "nothing"\nsize = "96x128"\nbatch = 2\n')
    manifest = build(tiny.path, tmp_path / "e", recipe=recipe, batch=1).manifest
    assert (manifest.size, manifest.batch, manifest.notes["recipe"]) == ((96, 128), 1, str(recipe))
    with pytest.raises(UsageError, match="no recipe 'orin'"):
        build(tiny.path, tmp_path / "e", recipe="orin")


def test_says_what_makes_no_sense(levels: Any, levels_val: Path) -> None:
    with pytest.raises(UsageError, match="no precision 'int4'"):
        build(levels.path, precision="int4")
    with pytest.raises(UsageError, match="no guard"):
        build(levels.path, data=levels_val, guard=False)
