from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.calibration_table import QuantizationChoice, read_table, write_table
from fcn_edge.artifacts.engine_manifest import TABLE_FILE
from fcn_edge.artifacts.spec import ModelSpec, Size
from fcn_edge.backends.base import Engine
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.backends.opening import open_engine
from fcn_edge.builder import Build, mixed_precision, tuner
from fcn_edge.builder import build as build_module
from fcn_edge.builder import compiled as compiled_module
from fcn_edge.builder.tuner import Tuner
from fcn_edge.datasets import split_of
from fcn_edge.datasets.halves import Part, halves_of
from fcn_edge.errors import DatasetError, DeviceError, GuardError, MachineError, ModelError, UsageError
from fcn_edge.quantization.profiles import profile_for
from fcn_edge.runtime.segmenter import load
from fcn_edge.system.cpu import instruction_set

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")

MakeBuild = Callable[..., Build]
PROFILE = profile_for("onnxruntime", instruction_set()).name


@pytest.fixture
def chosen_table(table_of: Any, loud: Any, tmp_path: Path) -> Callable[[QuantizationChoice], Path]:
    """The table of the loud model, with a choice in it."""

    def table(choice: QuantizationChoice) -> Path:
        path = tmp_path / "chosen.json"
        write_table(path, read_table(table_of(loud)).model_copy(update={"choices": {PROFILE: choice}}))
        return path

    return table


def halves(split: Path) -> tuple[int, int]:
    first, second = halves_of(split_of(split))
    return len(first), len(second)


def test_int8_is_guarded_on_rendered_scenes_without_labeled_images(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path
) -> None:
    built = build(levels.path, tmp_path / "e", precision="int8", calibration=table_of(levels))
    manifest = built.manifest
    assert "3 rendered scenes: " in manifest.guard
    assert manifest.accuracy is None
    assert (manifest.precision, manifest.spec.precision, manifest.spec.profile) == ("int8", "int8", PROFILE)
    assert manifest.int8_share == pytest.approx(7168 / 7520, abs=1e-4)
    assert manifest.calibration_digest == read_table(table_of(levels)).digest
    assert (built.engine / TABLE_FILE).read_bytes() == table_of(levels).read_bytes()
    assert manifest.notes["method"] == "mse"
    assert "excluded_groups" not in manifest.notes
    with open_engine(built.engine) as engine, engine.session() as session:
        assert session.spec.precision == "int8"


def test_broken_int8_is_never_kept(build: MakeBuild, loud: Any, table_of: Any, tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"onnxruntime\.int8 is less accurate .*93% expected") as caught:
        build(loud.path, tmp_path / "e", precision="int8", calibration=table_of(loud))
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_broken_int8_without_a_guard_is_kept_and_says_so(
    build: MakeBuild, loud: Any, table_of: Any, tmp_path: Path
) -> None:
    built = build(loud.path, tmp_path / "e", precision="int8", calibration=table_of(loud), guard=False)
    assert built.manifest.guard == "none: it was built with --no-guard"
    assert built.manifest.options["guard"] is False
    assert any("--no-guard" in warning for warning in built.warnings)


def test_half_of_the_images_chooses_and_the_other_judges(
    build: MakeBuild, levels: Any, table_of: Any, levels_val: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    request = {"precision": "int8", "calibration": table_of(levels), "evaluation": split_of(levels_val)}
    built = build(levels.path, tmp_path / "e", tell=told.append, **request)
    choosing, judging = halves(levels_val)
    assert told[0] == f"{choosing} of the labeled images choose how INT8 clips, the other {judging} judge"
    assert [line.split(":")[0] for line in told[2:6]] == ["minmax", "percentile", "entropy", "mse"]
    assert all(f"{choosing} images" in line for line in told[2:6])
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.images == judging
    assert built.manifest.accuracy.split == "val (the other half)"
    assert built.manifest.guard.startswith(f"levels val (the other half), {judging} images: mIoU ")
    assert built.manifest.accuracy.miou > 0.95
    assert built.candidates[0].miou == built.manifest.accuracy.miou
    assert built.manifest.notes["chosen_on"] == f"levels val (one half), {choosing} images"


def test_groups_that_cost_most_go_back_to_float(
    build: MakeBuild, loud: Any, table_of: Any, levels_val: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    request = {"precision": "int8", "calibration": table_of(loud), "evaluation": split_of(levels_val)}
    built = build(loud.path, tmp_path / "e", tell=told.append, **request)
    notes = built.manifest.notes
    assert (notes["excluded_layers"], notes["excluded_groups"]) == (["encoder.features.1.0"], ["encoder.features.1"])
    assert built.manifest.int8_share == pytest.approx(6144 / 7520, abs=1e-4)
    assert any(line.startswith("encoder.features.1 in floating point: levels val") for line in told)
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.miou > 0.95
    assert built.manifest.accuracy.images == halves(levels_val)[1]


def test_choice_of_the_table_is_taken_and_all_images_judge(
    build: MakeBuild, loud: Any, levels_val: Path, chosen_table: Any, tmp_path: Path
) -> None:
    told: list[str] = []
    choice = QuantizationChoice(method="entropy", excluded_layers=("encoder.features.1.0",), selected_on="my images")
    request = {"precision": "int8", "calibration": chosen_table(choice), "evaluation": split_of(levels_val)}
    built = build(loud.path, tmp_path / "e", tell=told.append, **request)
    assert len(told) == 2, "nothing is searched for"
    assert built.manifest.notes["method"] == "entropy"
    assert built.manifest.notes["chosen_on"] == "my images"
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.images == len(split_of(levels_val))


def test_choice_that_fails_is_searched_for_and_judged_on_other_images(
    build: MakeBuild, loud: Any, levels_val: Path, chosen_table: Any, tmp_path: Path
) -> None:
    told: list[str] = []
    table = chosen_table(QuantizationChoice(method="percentile"))
    request = {"precision": "int8", "calibration": table, "evaluation": split_of(levels_val)}
    built = build(loud.path, tmp_path / "e", tell=told.append, **request)
    choosing, judging = halves(levels_val)
    assert {line.split(":")[0] for line in told if " images: mIoU " in line} > {
        "minmax",
        "percentile",
        "entropy",
        "mse",
    }
    assert built.manifest.notes["excluded_groups"] == ["encoder.features.1"]
    assert built.manifest.notes["chosen_on"] == f"levels val (one half), {choosing} images"
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.images == judging


def test_method_that_fails_gives_way_to_another_before_layers_go_back_to_float(
    build: MakeBuild, levels: Any, table_of: Any, levels_val: Path, tmp_path: Path
) -> None:
    table, path = read_table(table_of(levels)), tmp_path / "wrong.json"
    wide = {name: span.model_copy(update={"mse": span.times(60.0).mse}) for name, span in table.tensors.items()}
    choices = {PROFILE: QuantizationChoice(method="mse")}
    write_table(path, table.model_copy(update={"tensors": wide, "choices": choices}))
    request = {"precision": "int8", "calibration": path, "evaluation": split_of(levels_val)}
    notes = build(levels.path, tmp_path / "e", **request).manifest.notes
    assert notes["method"] != "mse"
    assert "excluded_groups" not in notes


def test_choice_with_layers_in_float_that_fails_keeps_its_method(
    build: MakeBuild, loud: Any, levels_val: Path, chosen_table: Any, tmp_path: Path
) -> None:
    table = chosen_table(QuantizationChoice(method="percentile", excluded_layers=("decoder.score8",)))
    request = {"precision": "int8", "calibration": table, "evaluation": split_of(levels_val)}
    notes = build(loud.path, tmp_path / "e", **request).manifest.notes
    assert notes["method"] == "percentile"
    assert "encoder.features.1" in notes["excluded_groups"]


def test_once_a_candidate_was_searched_all_are_judged_on_the_same_images(
    build: MakeBuild, loud: Any, levels_val: Path, chosen_table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    real = build_module.kept_outcome
    monkeypatch.setattr(
        build_module, "kept_outcome", lambda outcomes, request: kept.extend(outcomes) or real(outcomes, request)
    )
    table = chosen_table(QuantizationChoice(method="percentile"))
    build(loud.path, tmp_path / "e", precision="auto", calibration=table, evaluation=split_of(levels_val))
    assert [outcome.candidate.precision for outcome in kept] == ["fp32", "int8"]
    assert {outcome.verdict.accuracy.images for outcome in kept} == {halves(levels_val)[1]}


def test_choice_that_fails_and_cannot_be_fixed_is_refused_with_its_score(
    build: MakeBuild, loud: Any, levels_val: Path, chosen_table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed_precision, "INT8_SHARE", 0.9)
    request = {"calibration": chosen_table(QuantizationChoice(method="percentile")), "evaluation": split_of(levels_val)}
    with pytest.raises(
        GuardError, match=r"levels val, 8 images: mIoU .* cannot be fixed: INT8 does not hold the guard, and"
    ):
        build(loud.path, tmp_path / "e", precision="int8", **request)
    auto = build(loud.path, tmp_path / "e", precision="auto", **request)
    assert auto.manifest.precision == "fp32"
    int8 = auto.candidates[1]
    assert int8.reason.startswith("INT8 does not hold the guard")
    assert int8.miou is not None
    assert int8.miou < 0.5


def test_too_few_images_to_halve(
    build: MakeBuild, loud: Any, table_of: Any, levels_val: Path, chosen_table: Any, tmp_path: Path
) -> None:
    one = Part(split_of(levels_val), (0,))
    request = {"precision": "int8", "evaluation": one}
    with pytest.raises(DatasetError, match="two or more were expected"):
        build(loud.path, tmp_path / "e", calibration=table_of(loud), **request)
    with pytest.raises(GuardError, match="less accurate"):  # the table's choice needs no halves to be refused
        build(loud.path, tmp_path / "e", calibration=chosen_table(QuantizationChoice(method="mse")), **request)


def test_auto_measures_both_and_keeps_the_fastest_that_holds(
    build: MakeBuild, levels: Any, table_of: Any, levels_val: Path, tmp_path: Path, quick_builds: dict[str, float]
) -> None:
    request = {"precision": "auto", "calibration": table_of(levels), "evaluation": split_of(levels_val)}
    quick_builds["onnxruntime.int8"] = 5.0
    built = build(levels.path, tmp_path / "fast", **request)
    assert [(one.precision, one.kept, one.end_to_end_ms) for one in built.candidates] == [
        ("fp32", False, 10.0),
        ("int8", True, 5.0),
    ]
    assert all(one.miou is not None for one in built.candidates)
    assert built.candidates[1].reason == "the fastest, 2.00 times as fast as fp32"
    quick_builds["onnxruntime.int8"] = 10 / 1.04
    built = build(levels.path, tmp_path / "slow", **request)
    assert built.manifest.precision == "fp32"
    assert built.candidates[1].reason.startswith("INT8 is not worth it here: 4% faster")
    assert not (built.engine / TABLE_FILE).exists()


def test_auto_without_a_table_builds_no_int8(build: MakeBuild, levels: Any, tmp_path: Path) -> None:
    built = build(levels.path, tmp_path / "e", precision="auto")
    assert [one.precision for one in built.candidates] == ["fp32"]
    assert built.warnings[0].startswith("INT8 was not tried: the model has no calibration table")


def test_auto_passes_over_what_is_broken(build: MakeBuild, loud: Any, table_of: Any, tmp_path: Path) -> None:
    built = build(loud.path, tmp_path / "e", precision="auto", calibration=table_of(loud))
    assert built.manifest.precision == "fp32"
    assert built.candidates[1].reason.startswith("loses too much: 3 rendered scenes")
    assert built.candidates[1].end_to_end_ms == 10.0, "it is timed all the same"


def test_int8_asked_for_by_name_is_kept_though_slow_with_a_warning(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, quick_builds: dict[str, float]
) -> None:
    quick_builds["onnxruntime.int8"] = 12.0
    built = build(levels.path, tmp_path / "e", precision="int8", calibration=table_of(levels))
    assert built.manifest.precision == "int8"
    assert built.warnings[0].startswith("int8 was asked for and is no faster than fp32 here: 12.0 ms")
    assert [(one.precision, one.kept) for one in built.candidates] == [("int8", True), ("fp32", False)]


def test_fp16_is_judged_and_needs_no_table(build: MakeBuild, levels: Any, tmp_path: Path) -> None:
    built = build(levels.path, tmp_path / "e", precision="fp16")
    assert built.manifest.spec.precision == "fp16"
    assert "rendered scenes" in built.manifest.guard
    assert built.manifest.int8_share is None


def test_float_candidate_is_scored_where_there_are_images(
    build: MakeBuild, levels: Any, levels_val: Path, tmp_path: Path
) -> None:
    built = build(levels.path, tmp_path / "e", evaluation=split_of(levels_val), max_drop=0.0, max_class_drop=0.0)
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.miou > 0.95
    assert built.manifest.accuracy.images == 8


def test_float_candidate_that_rounds_otherwise_holds_and_a_broken_one_does_not(
    build: MakeBuild, levels: Any, levels_val: Path, tmp_path: Path, add_backend: Any
) -> None:
    other = add_backend()
    request = {"backend": "other", "evaluation": split_of(levels_val), "max_drop": 0.0, "max_class_drop": 0.0}

    def rounded(image: np.ndarray) -> np.ndarray:
        level = levels.cells(image)
        level[:4] += 0.012  # a few cells change sides
        steps = np.arange(11)[:, None, None] / 10
        return np.asarray(2 * level * steps - steps**2, np.float32)

    other.scores = staticmethod(rounded)
    built = build(levels.path, tmp_path / "e", **request)
    assert built.manifest.accuracy is not None
    assert built.manifest.accuracy.miou < 1
    assert built.manifest.backend == "other"
    other.scores = np.zeros((11, 8, 12), np.float32)
    with pytest.raises(GuardError, match=r"other\.fp32 is less accurate"):
        build(levels.path, tmp_path / "f", **request)
    with pytest.raises(GuardError, match="rendered scenes"):
        build(levels.path, tmp_path / "f", backend="other")
    assert build(levels.path, tmp_path / "f", backend="other", guard=False).manifest.guard == ""


def test_candidate_whose_library_runs_little_in_int8_is_not_called_so(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, add_backend: Any
) -> None:
    made = add_backend("tensorrt")
    made.int8_share = 0.5
    request = {"backend": "tensorrt", "precision": "int8", "calibration": table_of(levels)}
    for guard, unknown, besides in ((True, 0, ""), (False, 3, r" for certain \(3 convolutions are not named .*\)")):
        made.unknown = unknown
        with pytest.raises(GuardError, match=f"Only 50% of the multiplications would be INT8{besides}; below 80%"):
            build(levels.path, tmp_path / "e", guard=guard, **request)


def test_share_that_the_library_reports_is_the_one_that_counts(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, add_backend: Any
) -> None:
    made = add_backend("tensorrt")
    made.int8_share, made.unknown = 0.85, 2
    request = {"backend": "tensorrt", "precision": "int8", "calibration": table_of(levels)}
    # ONNX Runtime 1.23, the newest for Python 3.10, rounds FP16 between Q/DQ too coarsely for the guard
    built = build(levels.path, tmp_path / "e", guard=False, **request)
    assert built.manifest.int8_share == 0.85
    assert any("2 convolutions that the plan does not name count as none" in one for one in built.warnings)
    assert built.manifest.spec.profile == "tensorrt"
    assert built.manifest.notes["steps"] == ["told"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_candidate_for_another_machine_is_built_judged_and_kept_untimed(
    build: MakeBuild, levels: Any, table_of: Any, levels_val: Path, tmp_path: Path, add_backend: Any, precision: str
) -> None:
    gpu = add_backend("tensorrt", "cuda")
    gpu.problem, gpu.builds = "There is no GPU here.", True
    request = {"backend": "tensorrt", "precision": precision, "calibration": table_of(levels)}
    built = build(levels.path, tmp_path / "e", evaluation=split_of(levels_val), **request)
    assert built.manifest.precision == precision
    assert built.manifest.device.kind == "cuda"
    assert built.manifest.speed is None
    assert built.manifest.accuracy is not None
    assert all(one.end_to_end_ms is None for one in built.candidates)
    assert "This machine cannot run it" in built.warnings[-1]
    with pytest.raises(MachineError, match="no GPU here") as caught:
        load(built.engine)
    assert caught.value.exit_code == 6


def test_plan_that_runs_here_is_judged_by_its_own_library_and_no_other_way(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        compiled_module, "open_unfused", lambda *_: pytest.fail("it was judged by arithmetic of no library")
    )
    built = build(levels.path, tmp_path / "e", precision="int8", calibration=table_of(levels))
    assert "3 rendered scenes: " in built.manifest.guard


def test_candidate_for_another_machine_is_judged_by_its_graph_as_written(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, add_backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = add_backend("tensorrt", "cuda")
    gpu.problem, gpu.builds = "There is no GPU here.", True
    judged: list[str | None] = []

    def unfused(path: Path, spec: ModelSpec, size: Size) -> Engine:
        judged.append(spec.profile)
        return open_unfused(path, spec, size)

    monkeypatch.setattr(compiled_module, "open_unfused", unfused)
    request = {"backend": "tensorrt", "precision": "int8", "calibration": table_of(levels)}
    with suppress(GuardError):  # what it says depends on how the installed ONNX Runtime rounds FP16
        build(levels.path, tmp_path / "e", **request)
    assert judged == ["tensorrt"]


def test_auto_is_refused_where_its_candidates_cannot_be_timed(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, add_backend: Any
) -> None:
    gpu = add_backend("tensorrt", "cuda")
    gpu.problem, gpu.builds = "There is no GPU here.", True
    with pytest.raises(UsageError, match="this machine cannot run tensorrt") as caught:
        build(levels.path, tmp_path / "e", backend="tensorrt", precision="auto", calibration=table_of(levels))
    assert caught.value.fix == "Name a precision: --precision fp32, fp16 or int8."
    assert gpu.built == []
    assert not (tmp_path / "e").exists()


@pytest.fixture
def no_int8(add_backend: Any) -> Any:
    """A backend for a GPU that builds everything but INT8."""
    gpu = add_backend("tensorrt", "cuda")
    gpu.error, gpu.refuses = ModelError("Strongly typed: no kernel. Weakly typed: no kernel."), "int8"
    return gpu


def test_int8_that_a_device_can_only_run_as_fp16_is_refused(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, no_int8: Any
) -> None:
    with pytest.raises(GuardError, match="as fp16 only, and int8 was asked for: Strongly typed: no kernel") as caught:
        build(levels.path, tmp_path / "e", backend="tensorrt", precision="int8", calibration=table_of(levels))
    assert caught.value.exit_code == 4
    assert "--precision auto" in caught.value.fix
    assert [path.name for path in no_int8.built] == ["tensorrt.int8.onnx", "tensorrt.fp16.onnx"]
    assert not (tmp_path / "e").exists()


def test_int8_that_a_device_can_run_as_nothing_is_its_own_error(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, no_int8: Any
) -> None:
    no_int8.refuses = ""
    with pytest.raises(ModelError, match="Strongly typed: no kernel"):
        build(levels.path, tmp_path / "e", backend="tensorrt", precision="int8", calibration=table_of(levels))
    assert [path.name for path in no_int8.built] == ["tensorrt.int8.onnx", "tensorrt.fp16.onnx"]


def test_fp16_that_auto_keeps_says_why_int8_could_not_be_built(
    build: MakeBuild, levels: Any, table_of: Any, tmp_path: Path, no_int8: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fp16(outcomes: Any, request: Any) -> Any:
        return next(outcome for outcome in outcomes if outcome.candidate.precision == "fp16")

    monkeypatch.setattr(build_module, "kept_outcome", fp16)
    built = build(levels.path, tmp_path / "e", backend="tensorrt", precision="auto", calibration=table_of(levels))
    assert built.manifest.precision == "fp16"
    assert built.manifest.notes["steps"] == ["int8: Strongly typed: no kernel. Weakly typed: no kernel.", "told"]
    assert len(no_int8.built) == 3


def test_candidate_for_another_device_of_a_library_that_runs_here_is_a_device_error(
    build: MakeBuild, levels: Any, tmp_path: Path, add_backend: Any
) -> None:
    gpu = add_backend("tensorrt", "cuda")
    gpu.problem, gpu.builds = "There is no GPU here.", True
    built = build(levels.path, tmp_path / "e", backend="tensorrt")
    gpu.problem, gpu.kind = "", "cpu"
    with pytest.raises(DeviceError, match="built for a cuda device"):
        load(built.engine)


def test_candidate_that_fails_when_it_is_timed_is_passed_over(
    build: MakeBuild, levels: Any, tmp_path: Path, add_backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = add_backend()
    real = Tuner.timed

    def timed(self: Tuner, outcomes: Any) -> Any:
        other.scores = np.full((11, 8, 12), np.nan, np.float32)
        return real(self, outcomes)

    monkeypatch.setattr(Tuner, "timed", timed)
    built = build(levels.path, tmp_path / "e")
    assert built.manifest.backend == "onnxruntime"
    assert "NaN" in built.candidates[1].reason
    with pytest.raises(ModelError, match="NaN"):
        build(levels.path, tmp_path / "f", backend="other", guard=False)


def test_frames_to_time_on_are_rendered_streets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    frames = tuner.frames_to_time()
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    assert (frames[0] != frames[1]).any()
