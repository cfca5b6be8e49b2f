"""What the builder makes of what TensorRT does, on stand-ins of real versions; real builds are in test_backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.errors import DeviceError, GuardError, MachineError, ModelError
from fcn_edge.testing.gpu import FakeGpu

from ...cuda.gpu import KERNELS
from ..exercise import Scene
from ..trim_api import TRIMMED, VERSIONS, read

NO_TYPES = "IBuilder::buildSerializedNetwork: Error Code 9: Internal Error ([type.cpp:186: infer_type] \
Could not infer output types for operation: dequantize, f32 output)"
NO_KERNEL = "IBuilder::buildSerializedNetwork: Error Code 10: Internal Error (Could not find any implementation for \
node encoder.features.1.conv.0.0 + clip_1.)"
WEAK = [version for version in VERSIONS if version.startswith("10.")]
STRONG = [version for version in VERSIONS if not version.startswith("10.")]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "engine"
    made.mkdir()
    return made


def build(scene: Scene, version: str, directory: Path) -> Any:
    return scene.build(scene.library(read(TRIMMED / f"{version}.json")), directory)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_build_leaves_a_plan_and_its_report(version: str, directory: Path) -> None:
    built, told = build(Scene(says=[[("INFO", "Total Activation Memory: 4096 bytes")]]), version, directory)
    assert sorted(built.files) == sorted(path.name for path in directory.iterdir()) == ["layers.json", "model.plan"]
    assert (directory / "model.plan").read_bytes() == b"a plan"
    assert built.notes["steps"] == ["strongly typed: built"]
    assert built.notes["layers"] == 2
    assert built.notes["activation_bytes"] == 4096
    assert (built.int8_share, built.unknown_convolutions) == (1.0, 0)
    assert built.notes["unknown_convolutions"] == 0
    assert told[0] == ("reading the graph", 0, 1)
    assert told[1] == ("Building engine", 0, 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_step_is_strongly_typed(version: str, directory: Path) -> None:
    scene = Scene()
    build(scene, version, directory)
    assert scene.network_flags == [2 if version in WEAK else 1]
    assert scene.flags == []


@pytest.mark.parametrize("version", VERSIONS)
def test_float32_never_silently_becomes_tf32(version: str, directory: Path) -> None:
    scene = Scene()
    build(scene, version, directory)
    assert scene.cleared == ["TF32"]


@pytest.mark.parametrize("version", WEAK)
def test_a_quantized_graph_is_tried_weakly_typed_where_that_exists(version: str, directory: Path) -> None:
    scene = Scene(parses=[True, True], builds=[False, True], says=[[("ERROR", NO_TYPES)]])
    built, _ = build(scene, version, directory)
    assert scene.network_flags == [2, 1]
    assert scene.flags == ["FP16", "INT8"]
    first, second = built.notes["steps"]
    assert first.startswith("strongly typed: TensorRT")
    assert "dequantize: its types cannot be told" in first
    assert second == "weakly typed with FP16 and INT8: built"


@pytest.mark.parametrize("version", WEAK)
def test_what_the_graph_keeps_in_float32_is_bound_to_it_where_types_are_the_builder_s(
    version: str, directory: Path
) -> None:
    scene = Scene(parses=[True, True], builds=[False, True], islands=frozenset({"dense", "relu"}))
    build(scene, version, directory)
    assert scene.flags == ["FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS"]
    assert scene.bound == {"dense": "FLOAT", "relu": "FLOAT"}
    kinds = {name: getattr(layer.precision, "name", "") for name, layer in scene.layers.items()}
    assert kinds == {"pair": "", "dense": "FLOAT", "depthwise": "", "relu": "FLOAT", "sizes": ""}


def test_a_strongly_typed_network_is_bound_by_its_graph(directory: Path) -> None:
    scene = Scene(islands=frozenset({"dense", "relu"}))
    build(scene, "10.3.0", directory)
    assert (scene.flags, scene.bound) == ([], {})


@pytest.mark.parametrize("version", WEAK)
def test_a_graph_that_no_step_builds_says_why_each_failed(version: str, directory: Path) -> None:
    scene = Scene(parses=[True, True], builds=[False, False], says=[[("ERROR", NO_TYPES)], [("ERROR", NO_KERNEL)]])
    with pytest.raises(ModelError, match=r"^strongly typed: .*types cannot be told.* weakly typed .*no kernel does it"):
        build(scene, version, directory)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("version", STRONG)
def test_there_is_one_step_where_all_networks_are_strongly_typed(version: str, directory: Path) -> None:
    scene = Scene(builds=[False], says=[[("ERROR", NO_TYPES)]])
    with pytest.raises(ModelError, match="dequantize: its types cannot be told"):
        build(scene, version, directory)
    assert len(scene.network_flags) == 1


def test_a_float_graph_is_tried_once(directory: Path) -> None:
    scene = Scene(
        quantized=False, builds=[False], says=[[("ERROR", "Error Code 2: Internal Error (Assertion x failed. )")]]
    )
    with pytest.raises(ModelError, match=r"cannot build .*: Assertion x failed"):
        build(scene, "10.3.0", directory)
    assert len(scene.network_flags) == 1


def test_a_lack_of_memory_ends_the_steps(directory: Path) -> None:
    scene = Scene(builds=[False], says=[[("ERROR", "Error Code 2: OutOfMemory (Requested size was 4 bytes.)")]])
    with pytest.raises(MachineError, match="memory ran out"):
        build(scene, "10.3.0", directory)
    assert len(scene.network_flags) == 1


def test_a_node_without_kernel_is_named(directory: Path) -> None:
    scene = Scene(parses=[True, True], builds=[False, False], says=[[("ERROR", NO_KERNEL)], [("ERROR", NO_KERNEL)]])
    with pytest.raises(ModelError, match=r"encoder\.features\.1\.conv\.0\.0 \+ clip_1: no kernel does it") as caught:
        build(scene, "10.3.0", directory)
    assert "--precision fp16" in caught.value.fix


@pytest.mark.parametrize("version", ["10.3.0", "11.4.0.106"])
def test_an_int8_graph_never_silently_becomes_a_float_plan(version: str, directory: Path) -> None:
    steps = 2 if version in WEAK else 1
    scene = Scene(plan_element="FP16", parses=[True] * steps, builds=[True] * steps)
    with pytest.raises(GuardError, match="none of its 2 quantized convolutions in INT8"):
        build(scene, version, directory)
    assert len(scene.network_flags) == steps
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"names": ("kernel 1", "kernel 2"), "metadata": False}, 0),
        ({"speaks_json": False}, 0),
        ({"names": ("depthwise", "kernel 2"), "plan_element": "FP16"}, 1),
    ],
    ids=["no metadata", "no JSON", "one unknown"],
)
@pytest.mark.parametrize("version", ["10.3.0", "11.4.0.106"])
def test_a_plan_whose_layers_name_no_int8_convolution_is_not_called_int8(
    version: str, how: dict[str, Any], named: int, directory: Path
) -> None:
    steps = 2 if version in WEAK else 1
    scene = Scene(parses=[True] * steps, builds=[True] * steps, **how)
    said = rf"none of its 2 quantized convolutions in INT8 \(its layers name {named} of them\)"
    with pytest.raises(GuardError, match=said):
        build(scene, version, directory)
    assert len(scene.network_flags) == steps
    assert list(directory.iterdir()) == []


def test_kernels_tell_by_their_names_where_they_have_no_metadata(directory: Path) -> None:
    scene = Scene(names=("dense.weight + dense + clip || depthwise",), metadata=False)
    built, _ = build(scene, "10.3.0", directory)
    assert (built.int8_share, built.unknown_convolutions) == (1.0, 0)


def test_convolutions_that_no_layer_names_are_counted_as_not_int8(directory: Path) -> None:
    built, _ = build(Scene(names=("depthwise",)), "10.3.0", directory)
    assert (built.int8_share, built.unknown_convolutions) == (0.0, 1)
    assert json.loads((directory / "layers.json").read_text())["figures"]["unknown_convolutions"] == 1


def test_a_plan_that_cannot_be_asked_has_no_share(directory: Path) -> None:
    built, _ = build(Scene(described=False), "10.3.0", directory)
    assert built.int8_share is None
    assert str(built.notes["int8_share_of"]).startswith("the graph")
    assert "layers" not in built.notes
    assert json.loads((directory / "layers.json").read_text())["layers"] == []


def test_a_float_plan_has_no_share(directory: Path) -> None:
    built, _ = build(Scene(plan_element="FP16", quantized=False), "10.3.0", directory)
    assert built.int8_share is None


def test_the_report_says_what_became_of_each_convolution(directory: Path) -> None:
    build(Scene(), "10.16.1.11", directory)
    report = json.loads((directory / "layers.json").read_text())
    assert report["library"] == "TensorRT 10.16.1.11"
    assert report["convolutions"] == [
        {"name": "dense", "macs": 8 * 9 * 8 * 256, "depthwise": False, "quantized": True, "int8": True},
        {"name": "depthwise", "macs": 9 * 8 * 256, "depthwise": True, "quantized": True, "int8": True},
    ]
    assert [layer["kind"] for layer in report["layers"]] == ["CaskConvolution"] * 2


def test_memory_is_limited_to_a_part_of_what_is_free(directory: Path) -> None:
    scene = Scene()
    build(scene, "10.3.0", directory)
    assert scene.pools == {"WORKSPACE": 2 << 30, "TACTIC_DRAM": 3 << 30}


BOARD = FakeGpu(KERNELS, integrated=True)
NO_MEMORY = "Tactic Device request: 4229MB Available: 2658MB. Device memory is insufficient to use tactic."


@pytest.mark.parametrize(
    "said",
    [
        [("ERROR", NO_KERNEL)],
        [("ERROR", "Error Code 2: OutOfMemory (x)")],
        [("WARNING", NO_MEMORY), ("ERROR", NO_TYPES)],
    ],
    ids=["no kernel", "no memory", "passed over"],
)
def test_a_board_builds_once_more_without_a_limit_for_kernels(said: list[tuple[str, str]], directory: Path) -> None:
    """There the build's weights count against what kernels may take."""
    scene = Scene(builds=[False, True], says=[said], gpu=BOARD)
    built, told = build(scene, "10.3.0", directory)
    assert scene.pools == {"WORKSPACE": 2 << 30}
    assert built.notes["steps"] == ["strongly typed: built"]
    assert "not limited" in built.notes["memory_for_kernels"]
    assert any("without a limit" in step for step, *_ in told)
    assert len(scene.network_flags) == 1


def test_a_board_gives_up_after_the_second_build_of_each_step(directory: Path) -> None:
    says: list[list[tuple[str, str]]] = [[("ERROR", NO_KERNEL)]] * 4
    scene = Scene(parses=[True, True], builds=[False] * 4, says=says, gpu=BOARD)
    with pytest.raises(ModelError, match="no kernel does it"):
        build(scene, "10.3.0", directory)
    assert (scene.builds, scene.says) == ([], [])


@pytest.mark.parametrize(
    ("gpu", "text"), [(BOARD, NO_TYPES), (FakeGpu(KERNELS), NO_KERNEL)], ids=["types", "own memory"]
)
def test_a_build_that_fails_for_something_else_is_not_tried_again(gpu: FakeGpu, text: str, directory: Path) -> None:
    scene = Scene(parses=[True, True], builds=[False, False], says=[[("ERROR", text)]] * 2, gpu=gpu)
    with pytest.raises(ModelError):
        build(scene, "10.3.0", directory)
    assert scene.builds == []


def test_nothing_is_limited_where_the_device_is_elsewhere(directory: Path) -> None:
    scene = Scene()
    build(scene, "rtx-1.7.1", directory)
    assert scene.pools == {}


def test_kernels_that_memory_ruled_out_are_counted(directory: Path) -> None:
    said = [
        ("WARNING", "UNSUPPORTED_STATE: Skipping tactic 33 due to insufficient memory on requested size of 629145600"),
        ("WARNING", "Tactic Device request: 4229MB Available: 2658MB. Device memory is insufficient to use tactic."),
        ("WARNING", "Tactic Device request: 4229MB Available: 2658MB. Device memory is insufficient to use tactic."),
        ("WARNING", "Something  else"),
    ]
    built, _ = build(Scene(says=[said]), "10.3.0", directory)
    assert built.notes["kernels_without_memory"] == 3
    assert len(built.notes["warnings"]) == 3
    assert built.notes["warnings"][2] == "Something else"


def test_measurements_are_kept_for_the_next_build(directory: Path) -> None:
    scene = Scene(parses=[True, True], builds=[True, True])
    build(scene, "10.3.0", directory)
    build(scene, "10.3.0", directory)
    assert scene.cached == [b"", b"timings"]


def test_a_library_that_measures_nothing_gets_no_timing_cache(directory: Path) -> None:
    scene = Scene()
    build(scene, "rtx-1.7.1", directory)
    assert scene.cached == []


def test_the_devices_of_a_portable_plan_are_named(directory: Path) -> None:
    chosen: dict[int, str] = {}
    scene = Scene()
    trt = scene.library(read(TRIMMED / "rtx-1.7.1.json"))
    trt.IBuilderConfig.set_compute_capability = lambda config, kind, index: chosen.update({index: kind.name}) is None
    scene.build(trt, directory)
    assert chosen == {0: "SM86", 1: "SM89"}


def test_a_device_that_is_refused_is_a_device_error(directory: Path) -> None:
    scene = Scene()
    trt = scene.library(read(TRIMMED / "rtx-1.7.1.json"))
    trt.IBuilderConfig.set_compute_capability = lambda config, kind, index: False
    with pytest.raises(DeviceError, match=r"does not build for NVIDIA RTX GPU \(8\.6/8\.9\)"):
        scene.build(trt, directory)


def test_a_library_without_a_gpu_is_a_machine_error(directory: Path) -> None:
    scene = Scene()
    trt = scene.library(read(TRIMMED / "10.3.0.json"))

    def nothing(self: Any, logger: Any) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    trt.Builder.__init__ = nothing
    with pytest.raises(MachineError, match=r"TensorRT 10\.3\.0 cannot begin a build"):
        scene.build(trt, directory)
