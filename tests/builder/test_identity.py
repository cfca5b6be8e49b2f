from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.calibration_table import read_table, write_table
from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.engine_manifest import TABLE_FILE, read_manifest, write_manifest
from fcn_edge.builder import Build, BuildRequest, build_engine
from fcn_edge.builder.identity import identity_of, why_stale
from fcn_edge.builder.target import target_at
from fcn_edge.builder.tuner import Tuner
from fcn_edge.datasets import split_of

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")


@pytest.fixture
def build(levels: Any, table_of: Any, levels_val: Path, tmp_path: Path) -> Callable[..., Build]:
    """Builds INT8 of the levels model if that is stale, guarded on images, with some of the request changed."""

    def built(output: Path | None = tmp_path / "e", **changes: Any) -> Build:
        request: dict[str, Any] = {"precision": "int8", "calibration": table_of(levels)}
        request["evaluation"] = split_of(levels_val)
        return build_engine(levels.path, BuildRequest(**{**request, **changes}), output=output, if_stale=True)

    return built


def test_same_request_finds_its_engine(build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch) -> None:
    first = build()
    assert first.reason == "there was none"
    monkeypatch.setattr(Tuner, "outcomes", lambda _: pytest.fail("it was built again"))
    second = build()
    assert second.up_to_date
    assert second.manifest == first.manifest
    assert second.candidates[0].miou == first.candidates[0].miou
    assert second.candidates[0].int8_share == first.manifest.int8_share


def other_table(tmp_path: Path, table: Path) -> Path:
    write_table(tmp_path / "other.json", read_table(table).model_copy(update={"chosen": "otherwise"}))
    return tmp_path / "other.json"


def other_images(tmp_path: Path, split: Path) -> Any:
    shutil.copytree(split, tmp_path / "val")
    (tmp_path / "val/images/00.png").unlink()
    return split_of(tmp_path / "val")


CHANGES: dict[str, tuple[Callable[..., dict[str, Any]], str]] = {
    "table": (lambda path, table, _: {"calibration": other_table(path, table)}, "the option calibration changed from"),
    "images": (
        lambda path, _, split: {"evaluation": other_images(path, split)},
        "the option evaluated_on changed from",
    ),
    "no images": (lambda *_: {"evaluation": None}, r"evaluated_on changed from levels val \(8 images, .*\) to nothing"),
    "drop": (lambda *_: {"max_drop": 0.02}, "the option max_drop changed from 0.01 to 0.02"),
    "class drop": (lambda *_: {"max_class_drop": 0.1}, "the option max_class_drop changed from 0.03 to 0.1"),
    "guard": (lambda *_: {"guard": False, "evaluation": None}, "the option guard changed from True to False"),
    "precision": (lambda *_: {"precision": "fp16"}, "the precision changed from int8 to fp16"),
    "size": (lambda *_: {"size": (96, 96)}, "the size changed from 64x96 to 96x96"),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_what_would_build_another_engine_is_said(
    build: Callable[..., Build],
    levels: Any,
    table_of: Any,
    levels_val: Path,
    tmp_path: Path,
    change: Callable[..., dict[str, Any]],
    said: str,
) -> None:
    import re

    build()
    again = build(**change(tmp_path, table_of(levels), levels_val))
    assert not again.up_to_date
    assert re.search(said, again.reason)
    assert "\n" not in again.reason


def test_labeled_images_make_a_float_engine_stale(levels: Any, levels_val: Path, tmp_path: Path) -> None:
    build_engine(levels.path, BuildRequest(), output=tmp_path / "e")
    asked = BuildRequest(evaluation=split_of(levels_val))
    again = build_engine(levels.path, asked, output=tmp_path / "e", if_stale=True)
    assert "evaluated_on changed from nothing to levels val" in again.reason
    assert again.manifest.accuracy is not None


@pytest.mark.parametrize("damage", [TABLE_FILE, "model.onnx"])
def test_damaged_engine_is_stale(build: Callable[..., Build], damage: str) -> None:
    path = build().engine / damage
    path.write_bytes(path.read_bytes()[:-1])
    assert f"the one there is damaged: {path} was changed or damaged" in build().reason


@pytest.mark.parametrize(("ms", "kept"), [(5.0, "int8"), (20.0, "fp32")])
def test_auto_finds_the_candidate_that_is_there(
    build: Callable[..., Build],
    tmp_path: Path,
    quick_builds: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    ms: float,
    kept: str,
) -> None:
    quick_builds["onnxruntime.int8"] = ms
    monkeypatch.chdir(tmp_path)
    for output in (None, tmp_path / "e"):
        first = build(output, precision="auto")
        assert first.manifest.precision == kept
        assert build(output, precision="auto").up_to_date
        changed = build(output, precision="auto", max_drop=0.5)
        assert changed.reason == "the option max_drop changed from 0.01 to 0.5"


def test_engine_of_auto_is_none_of_a_named_precision(build: Callable[..., Build]) -> None:
    build(precision="auto")
    assert build(precision="fp32").reason == "the option precision changed from auto to fp32"


def test_engine_is_fresh_for_its_own_identity(build: Callable[..., Build]) -> None:
    engine = build().engine
    assert why_stale(target_at(engine), identity_of(read_manifest(engine))) == ""


def test_a_board_in_another_power_mode_is_not_stale(build: Callable[..., Build]) -> None:
    agx = DeviceInfo("cuda", "Orin", "8.7", "NVIDIA Jetson AGX Orin Developer Kit", 16, "MAXN")
    engine = build().engine
    write_manifest(engine, read_manifest(engine).model_copy(update={"device": agx}))
    built = identity_of(read_manifest(engine))

    def why(here: DeviceInfo) -> str:
        return why_stale(target_at(engine), replace(built, device=here))

    assert why(replace(agx, multiprocessors=8, power_mode="30W")) == ""
    assert why(replace(agx, board="")) == "", "a container may hide the device tree"
    assert why(replace(agx, board="NVIDIA Jetson Orin Nano Developer Kit")) == (
        "the device changed from NVIDIA Jetson AGX Orin Developer Kit (8.7) to NVIDIA Jetson Orin Nano Developer Kit "
        "(8.7)"
    )


@pytest.mark.parametrize(("tools", "said"), [({"fcn_edge": "0.0.9"}, "0.0.9"), ({}, "of an unknown version")])
def test_engine_of_another_fcn_edge_is_stale(build: Callable[..., Build], tools: dict[str, str], said: str) -> None:
    first = build()
    write_manifest(first.engine, first.manifest.model_copy(update={"tools": tools}))
    again = build()
    assert again.reason == f"it was built by fcn_edge {said}"
    assert again.manifest.tools == first.manifest.tools
