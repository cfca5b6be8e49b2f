"""The backends; and what TensorRT-RTX, which needs no GPU to build, really makes of graphs of every precision."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.base import Built, Probe, Progress
from fcn_edge.backends.options import BuildOptions
from fcn_edge.backends.tensorrt import TensorRT, TensorRTRTX, backend
from fcn_edge.backends.tensorrt.compile.compiler import build_plan
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.backends.tensorrt.library import library
from fcn_edge.errors import DeviceError, GuardError, MachineError, ModelError, UsageError
from fcn_edge.testing.engine import fake_spec

from ...typed_network import TypedNetwork
from .standin import standin
from .trim_api import TRIMMED, read

SIZE = (64, 96)
ORIN = DeviceInfo("cuda", "Orin", "8.7")
AGX, AGX_30W, SUPER_NANO = (
    DeviceInfo("cuda", "Orin", "8.7", board, count, mode)
    for board, count, mode in (
        ("NVIDIA Jetson AGX Orin Developer Kit", 16, "MAXN"),
        ("NVIDIA Jetson AGX Orin Developer Kit", 8, "30W"),
        ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", 8, "25W"),
    )
)
NANO = DeviceInfo("cuda", "Orin Nano", "8.7")
RTX4090 = DeviceInfo("cuda", "NVIDIA GeForce RTX 4090", "8.9")
RTX4060 = DeviceInfo("cuda", "NVIDIA GeForce RTX 4060", "8.9")
PORTABLE = DeviceInfo("cuda", "NVIDIA RTX GPU", "8.0/8.6/8.9/12.0/12.1")
ZOO = Path(__file__).parents[3] / "fcn_edge/zoo/camvid-mobilenet_v2-fcn8s/model.onnx"


@pytest.fixture
def rtx_in_child() -> TensorRTRTX:
    """The backend as it is."""
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    return TensorRTRTX()


@pytest.fixture
def rtx(rtx_in_child: TensorRTRTX, monkeypatch: pytest.MonkeyPatch) -> TensorRTRTX:
    """The backend without a process a build, which takes longer than the build."""

    def build_here(request: Request, progress: Progress | None = None) -> Built:
        return build_plan(library(request.backend), request, progress or (lambda *step: None))

    monkeypatch.setattr(backend, "build_in_process", build_here)
    return rtx_in_child


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_device(index: int = 0) -> Any:
        raise DeviceError("There is none.", "Buy one.")

    monkeypatch.setattr(backend, "open_device", open_device)


@pytest.fixture
def use_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[DeviceInfo], None]:
    """Puts a GPU into the machine."""

    def use(device: DeviceInfo) -> None:
        from contextlib import contextmanager

        @contextmanager
        def open_device(index: int = 0) -> Iterator[Any]:
            yield SimpleNamespace(facts=SimpleNamespace(device=device))

        monkeypatch.setattr(backend, "open_device", open_device)

    return use


@pytest.fixture
def use_library(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a version."""

    def use(version: str) -> None:
        trt = standin(read(TRIMMED / f"{version}.json"))
        monkeypatch.setattr(backend, "library", lambda name: trt)

    return use


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: str) -> Any:
        raise MachineError("It is not installed.", "Install it.")

    monkeypatch.setattr(backend, "library", library)
    assert TensorRT().probe() == Probe("", problem="It is not installed.", fix="Install it.")


@pytest.mark.usefixtures("no_gpu")
def test_tensorrt_builds_for_the_gpu_that_is_here_only(use_library: Any, directory: Path) -> None:
    use_library("10.3.0")
    assert TensorRT().probe() == Probe("10.3.0", problem="There is none.", fix="Buy one.")
    with pytest.raises(MachineError, match="There is none"):
        TensorRT().build(Path("m.onnx"), directory, SIZE)


@pytest.mark.usefixtures("no_gpu")
def test_tensorrt_rtx_builds_without_a_gpu(use_library: Any) -> None:
    use_library("rtx-1.7.1")
    probe = TensorRTRTX().probe()
    assert not probe.available
    assert probe.problem == "There is none."
    assert probe.devices == ()
    assert probe.buildable == probe.targets == (PORTABLE,)


def test_a_gpu_that_is_here_comes_first(use_library: Any, use_gpu: Any) -> None:
    use_library("rtx-1.7.1")
    use_gpu(RTX4090)
    assert TensorRTRTX().probe() == Probe("1.7.1.116", (RTX4090,))
    use_library("10.16.1.11")
    assert TensorRT().probe() == Probe("10.16.1.11", (RTX4090,))


def test_a_gpu_that_the_library_has_no_kernels_for(use_library: Any, use_gpu: Any) -> None:
    use_library("rtx-1.7.1")
    use_gpu(ORIN)
    probe = TensorRTRTX().probe()
    assert probe.problem == "TensorRT-RTX 1.7.1.116 has no kernels for Orin (8.7)."
    assert probe.targets == (PORTABLE,)


@pytest.mark.parametrize(
    ("made", "here", "built_for", "phrase"),
    [
        (TensorRT, ORIN, ORIN, ""),
        (TensorRT, ORIN, NANO, "its kernels were chosen by their speed on Orin Nano, and this is Orin"),
        (TensorRT, AGX_30W, AGX, ""),
        (TensorRT, AGX_30W, ORIN, ""),
        (
            TensorRT,
            AGX_30W,
            SUPER_NANO,
            "its kernels were chosen by their speed on NVIDIA Jetson Orin Nano Engineering Reference Developer Kit "
            "Super, and this is NVIDIA Jetson AGX Orin Developer Kit",
        ),
        (TensorRT, ORIN, RTX4090, "its kernels are for compute capability 8.9, and Orin has 8.7"),
        (TensorRTRTX, RTX4090, RTX4060, ""),
        (TensorRTRTX, RTX4090, PORTABLE, ""),
        (
            TensorRTRTX,
            RTX4090,
            DeviceInfo("cuda", "NVIDIA RTX GPU", "12.0/12.1"),
            "its kernels are for compute capability 12.0, 12.1, and NVIDIA GeForce RTX 4090 has 8.9",
        ),
    ],
)
def test_misfits(
    made: type[TensorRT], here: DeviceInfo, built_for: DeviceInfo, phrase: str, use_library: Any, use_gpu: Any
) -> None:
    use_library("10.3.0" if made is TensorRT else "rtx-1.7.1")
    use_gpu(here)
    assert made().incompatibility(built_for, "fp16") == phrase


def test_the_gpu_that_is_asked_about_answers(use_library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use_library("10.3.0")
    monkeypatch.setattr(
        backend,
        "open_device",
        lambda index: nullcontext(SimpleNamespace(facts=SimpleNamespace(device=(RTX4090, RTX4060)[index]))),
    )
    assert [TensorRT().probe(index).devices for index in (0, 1)] == [(RTX4090,), (RTX4060,)]
    assert TensorRT().incompatibility(RTX4060, "fp16", 1) == ""
    assert "this is NVIDIA GeForce RTX 4090" in TensorRT().incompatibility(RTX4060, "fp16", 0)


@pytest.mark.parametrize(
    ("made", "here", "built_for", "phrase"),
    [
        (
            TensorRT,
            AGX_30W,
            AGX,
            "its kernels were chosen by their speed with 16 SM, power mode MAXN, and this GPU has 8 SM, power mode 30W",
        ),
        (TensorRT, AGX, AGX, ""),
        (TensorRT, AGX_30W, ORIN, ""),
        (TensorRTRTX, AGX_30W, AGX, ""),
    ],
)
def test_another_power_mode_is_no_misfit_but_slower(
    made: type[TensorRT], here: DeviceInfo, built_for: DeviceInfo, phrase: str, use_library: Any, use_gpu: Any
) -> None:
    use_library("10.3.0" if made is TensorRT else "rtx-1.7.1")
    use_gpu(here)
    assert made().slower_here(built_for) == phrase


def test_a_build_goes_to_the_gpu_that_is_chosen(
    use_library: Any, use_gpu: Any, directory: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_library("10.3.0")
    use_gpu(ORIN)
    asked: list[Request] = []
    monkeypatch.setattr(backend, "build_in_process", lambda request, progress: asked.append(request) or Built(("x",)))
    for options in (BuildOptions(), BuildOptions(device=1)):
        TensorRT().build(tiny.path, directory, SIZE, options)
    assert [request.gpu for request in asked] == [0, 1]


def test_models_must_be_built_first() -> None:
    with pytest.raises(UsageError, match="runs built engines only") as caught:
        TensorRT().open_onnx(Path("m.onnx"), fake_spec(), SIZE)
    assert caught.value.fix == "Build one with: fcn-edge build m.onnx --backend tensorrt"


@pytest.mark.usefixtures("no_gpu")
def test_plans_cannot_be_opened_without_a_gpu(use_library: Any, directory: Path) -> None:
    pytest.importorskip("fcn_edge.backends.tensorrt.runtime.engine")
    use_library("rtx-1.7.1")
    with pytest.raises(DeviceError, match="There is none"):
        TensorRTRTX().open(directory, fake_spec(), SIZE)


@pytest.mark.usefixtures("no_gpu")
class TestRealBuilds:
    """With the real TensorRT-RTX, for GPUs that are not here."""

    @pytest.mark.parametrize(
        ("precision", "how", "elements"),
        [
            ("fp32", {}, {"stem": "fp32", "depthwise": "fp32", "body": "fp32", "head": "fp32"}),
            ("fp32", {"weights_in_fp16": True}, {"stem": "fp32", "depthwise": "fp32", "body": "fp32", "head": "fp32"}),
            ("fp16", {}, {"stem": "fp16", "depthwise": "fp16", "body": "fp16", "head": "fp16"}),
            ("int8", {}, {"stem": "int8", "depthwise": "fp16", "body": "int8", "head": "fp16"}),
            ("int8", {"depthwise": True}, {"stem": "int8", "depthwise": "int8", "body": "int8", "head": "fp16"}),
        ],
        ids=["fp32", "fp32 with fp16 weights", "fp16", "int8", "int8 depthwise"],
    )
    def test_a_plan_has_the_precision_of_the_graph(
        self,
        precision: str,
        how: dict[str, Any],
        elements: dict[str, str],
        rtx: TensorRTRTX,
        typed_network: Callable[..., Path],
        directory: Path,
    ) -> None:
        told: list[tuple[str, int, int]] = []
        built = rtx.build(typed_network(precision, **how), directory, SIZE, progress=lambda *step: told.append(step))
        assert sorted(built.files) == sorted(path.name for path in directory.iterdir())
        assert built.files == (rtx.plan_file, *rtx.extra_files)
        assert (directory / rtx.plan_file).read_bytes()[:4] == b"vtrt"
        report = json.loads((directory / "layers.json").read_text())
        kernels = {layer["nodes"][0]: layer for layer in report["layers"] if layer["kind"] == "correlation"}
        assert {name: kernel["inputs"][0]["element"] for name, kernel in kernels.items()} == elements
        assert {name: kernel["constants"][0]["element"] for name, kernel in kernels.items()} == elements
        found = {one["name"]: one for one in report["convolutions"]}
        assert {name: one["macs"] for name, one in found.items()} == TypedNetwork.MACS
        assert [name for name, one in found.items() if one["depthwise"]] == ["depthwise"]
        assert {name: one["int8"] for name, one in found.items()} == {
            name: element == "int8" for name, element in elements.items()
        }
        if precision == "int8":
            macs = {name: count for name, count in TypedNetwork.MACS.items() if name != "depthwise"}
            assert built.int8_share == pytest.approx((macs["stem"] + macs["body"]) / sum(macs.values()))
        else:
            assert built.int8_share is None
        assert built.notes["steps"] == ["strongly typed: built"]
        assert built.notes["layers"] == len(report["layers"])
        assert int(str(built.notes["activation_bytes"])) > 0
        assert int(str(built.notes["weight_bytes"])) > 0
        assert told[0] == ("reading the graph", 0, 1)

    def test_the_shipped_model(self, rtx: TensorRTRTX, directory: Path) -> None:
        """Its weights are float16 behind Cast nodes, and its height and width are open."""
        built = rtx.build(ZOO, directory, (256, 512))
        report = json.loads((directory / "layers.json").read_text())
        assert len(report["convolutions"]) == 55
        assert {one["int8"] for one in report["convolutions"]} == {False}
        assert "encoder.features.3.conv.0.0" in {one["name"] for one in report["convolutions"]}
        assert report["layers"][-1]["outputs"][0]["shape"][-2:] == [32, 64]
        assert built.notes["weight_bytes"] > 4 * 2_000_000  # type: ignore[operator]

    def test_builds_are_the_same_each_time(
        self, rtx: TensorRTRTX, typed_network: Callable[..., Path], tmp_path: Path
    ) -> None:
        onnx = typed_network("int8")
        plans = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            rtx.build(onnx, tmp_path / name, SIZE)
            plans.append((tmp_path / name / rtx.plan_file).read_bytes())
        assert plans[0] == plans[1]

    @pytest.mark.parametrize(
        ("how", "reason"),
        [
            (
                {"changes": {"body.zero": np.asarray(3, np.int8)}},
                r"body\.q \(QuantizeLinear\): an INT8 zero point is not 0",
            ),
            ({"changes": {"body.range": np.asarray(0, np.float16)}}, r"body\.q \(QuantizeLinear\): an INT8 scale is 0"),
            ({"changes": {"body.zero": np.asarray(0, np.uint8)}}, "its quantization is not int8, as was expected"),
            (
                {"changes": {"head.weight": np.zeros((11, 64, 1, 1), np.float32)}},
                r"head \(Conv\): tensors of different types meet: head: IConvolutionLayer `input` and `kernel`",
            ),
            ({"operators": {"head": "Konv"}}, r"head \(Konv\): there is no operator Konv"),
        ],
        ids=["asymmetric", "zero scale", "uint8", "mixed types", "unknown operator"],
    )
    def test_a_graph_that_is_refused_is_one_sentence(
        self, how: dict[str, Any], reason: str, rtx: TensorRTRTX, typed_network: Callable[..., Path], directory: Path
    ) -> None:
        with pytest.raises(ModelError, match=reason) as caught:
            rtx.build(typed_network("int8", **how), directory, SIZE)
        assert "\n" not in caught.value.message
        assert "cudaError" not in caught.value.message
        assert not list(directory.iterdir())

    def test_an_int8_graph_whose_plan_is_float_is_refused(
        self, rtx: TensorRTRTX, typed_network: Callable[..., Path], directory: Path
    ) -> None:
        """Q/DQ pairs around activations are no use to a convolution whose weights are float."""
        with pytest.raises(GuardError, match="none of its 2 quantized convolutions in INT8"):
            rtx.build(typed_network("int8", float_weights=True), directory, SIZE)

    def test_in_a_child_it_is_the_same(
        self,
        rtx_in_child: TensorRTRTX,
        typed_network: Callable[..., Path],
        directory: Path,
    ) -> None:
        told: list[tuple[str, int, int]] = []
        built = rtx_in_child.build(typed_network("int8"), directory, SIZE, progress=lambda *step: told.append(step))
        assert sorted(built.files) == sorted(path.name for path in directory.iterdir())
        assert built.int8_share == pytest.approx(0.97864, abs=1e-5)
        assert built.notes["steps"] == ["strongly typed: built"]
        assert told[0] == ("reading the graph", 0, 1)

    def test_an_error_in_the_child_is_the_same(
        self, rtx_in_child: TensorRTRTX, typed_network: Callable[..., Path], directory: Path
    ) -> None:
        with pytest.raises(ModelError, match="there is no operator Konv"):
            rtx_in_child.build(typed_network("fp16", operators={"head": "Konv"}), directory, SIZE)

    def test_a_plan_that_cannot_be_written_is_the_system_s_error(
        self, rtx_in_child: TensorRTRTX, typed_network: Callable[..., Path], tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            rtx_in_child.build(typed_network("fp16"), tmp_path / "missing", SIZE)

    def test_another_size_than_the_graph_s_is_a_usage_error(
        self, rtx: TensorRTRTX, tiny_network: Callable[..., Any], directory: Path, tmp_path: Path
    ) -> None:
        tiny_network(tmp_path / "fixed.onnx", size=(64, 96), fixed=True)
        with pytest.raises(UsageError, match="takes 64x96 images"):
            rtx.build(tmp_path / "fixed.onnx", directory, (96, 96))

    def test_a_labels_head_ends_in_uint8(self, rtx: TensorRTRTX, directory: Path, tmp_path: Path) -> None:
        import onnx

        from fcn_edge.artifacts.onnx_header import spec_of_onnx
        from fcn_edge.export.rewrite import add_labels_head

        model = onnx.load(ZOO)
        add_labels_head(model, spec_of_onnx(ZOO))
        onnx.save(model, tmp_path / "labels.onnx")
        rtx.build(tmp_path / "labels.onnx", directory, SIZE)
        last = json.loads((directory / "layers.json").read_text())["layers"][-1]["outputs"][0]
        assert (last["element"], last["shape"][-2:]) == ("uint8", list(SIZE))

    @pytest.mark.parametrize("batched", [True, False])
    @pytest.mark.parametrize("head", ["scores", "labels"])
    def test_the_network_of_the_contract(
        self,
        head: str,
        batched: bool,
        rtx: TensorRTRTX,
        tiny_network: Callable[..., Any],
        directory: Path,
        tmp_path: Path,
    ) -> None:
        tiny_network(tmp_path / "tiny.onnx", head=head, batched=batched)
        rtx.build(tmp_path / "tiny.onnx", directory, SIZE)
        last = json.loads((directory / "layers.json").read_text())["layers"][-1]["outputs"][0]
        assert last["element"] == ("uint8" if head == "labels" else "fp32")
