"""The file of references."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import ArtifactError

from ..conftest import SMALL


def read(path: Path, **how: Any) -> Any:
    settings = replace(import_module("gpu.settings").Settings().for_a_look, size=(64, 96), batch=2)
    return import_module("gpu.references").read_references(path, replace(settings, **how))


def test_they_hold_every_case(gpu_check: ModuleType, gpu_references: Path) -> None:
    references = read(gpu_references)
    assert references.real.scores.shape == (2, 11, 8, 12)
    assert [frame.shape for frame in references.real.frames] == [(90, 160, 3)] * 2
    cases = import_module("gpu.cases")
    decoded = list(cases.decode_cases(references.real, quick=True))
    assert len({case.key for case in decoded}) == len(decoded) == 2 * (2 * len(cases.SMALL) + 1)
    for case in decoded:
        expected = references.expected(case)
        assert expected.masks.shape == (len(case.scores), *case.mapping.frame_size)
        assert references.as_emulated(case.key, expected.masks[..., :1]) is False
    images = list(cases.image_cases(quick=True))
    assert len({case.key for case in images}) == len(images)
    assert references.as_emulated("nobody's", decoded[0].scores) is None


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"size": (96, 64)}, "holds references of another size"),
        ({"quick": False}, "holds references of another choice of --quick"),
    ],
)
def test_those_of_other_options_are_refused(
    gpu_check: ModuleType, gpu_references: Path, how: dict[str, Size | bool], named: str
) -> None:
    with pytest.raises(ArtifactError, match=named):
        read(gpu_references, **how)


def test_those_of_other_kernels_are_refused(
    gpu_check: ModuleType, gpu_references: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("gpu.references"), "kernel_source", lambda kernel: f"another {kernel}")
    with pytest.raises(ArtifactError, match="holds references of another version of the kernels"):
        read(gpu_references)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "other", "pickled"])
def test_what_holds_none_is_refused_with_3(
    gpu_check: ModuleType, gpu_references: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "refs.npz"
    if damage == "other":
        np.savez(path, frames=np.zeros(3))
    elif damage == "pickled":
        np.savez(path, about=np.array({"key": {}}, object))
    else:
        whole = gpu_references.read_bytes()
        path.write_bytes({"empty": b"", "text": b"references", "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(ArtifactError, match="holds no references"):
        read(path)


def test_those_of_a_run_are_read_before_its_checks(gpu_check: ModuleType, run_gpu_check: Any, tmp_path: Path) -> None:
    path = tmp_path / "refs.npz"
    path.write_bytes(b"damaged")
    done = run_gpu_check("--references", str(path), "--only", "compile")
    assert (done.exit_code, done.lines) == (3, [])
    assert "Write them again with the same options" in done.stderr


def test_a_write_that_fails_leaves_what_was_there(
    gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    references = import_module("gpu.references")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(references, "decode_cases", lambda *_: [])
    monkeypatch.setattr(references, "can_emulate", lambda: False)
    monkeypatch.setattr(np, "savez_compressed", full)
    path = tmp_path / "refs.npz"
    path.write_bytes(b"before")
    done = CliRunner().invoke(gpu_check.main, [*SMALL, "--write-references", str(path)])
    assert isinstance(done.exception, OSError)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("refs.npz", b"before")]
