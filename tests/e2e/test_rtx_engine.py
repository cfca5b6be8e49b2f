"""A shipped model as an engine of TensorRT-RTX, which needs no GPU to build: what is in it, who refuses to run it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner

pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
pytest.importorskip("onnx")

import tensorrt_rtx

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, TABLE_FILE, read_manifest, verify_engine
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends.base import Probe
from fcn_edge.backends.tensorrt import TensorRTRTX
from fcn_edge.builder import tuner
from fcn_edge.cli.main import main
from fcn_edge.system.cuda_driver import loaded_driver

MODEL = "camvid-mobilenet_v2-fcn8s"
STREET = "synthetic://street?seed=7&size=96x128&frames=1"
SCENES = 3
VERSION = tensorrt_rtx.__version__
PRECISIONS = ["fp16", "int8"]
RTX4090 = DeviceInfo("cuda", "NVIDIA GeForce RTX 4090", "8.9")
ORIN = DeviceInfo("cuda", "Orin", "8.7")


def printed(*words: object, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*map(str, words), "--json"])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def build(precision: str, size: str, table: Path, engine: Path, *how: str) -> dict[str, Any]:
    calibration = ("--calibration", table) if precision == "int8" else ()
    words = ("--backend", "tensorrt-rtx", "--precision", precision, "--size", size)
    return printed("build", MODEL, *words, *calibration, *how, "-o", engine)


@pytest.fixture(scope="session")
def table(calibrate: Callable[..., Path]) -> Path:
    return calibrate(resolved_model(MODEL).path, (64, 96), SCENES)


@pytest.fixture(scope="module", params=PRECISIONS)
def built(request: pytest.FixtureRequest, table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``build --json`` said of a small engine."""
    engine = tmp_path_factory.mktemp("engines") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuner, "frames_to_time", list)  # nothing can be timed here
        return build(request.param, "64x96", table, engine, "--no-guard")


@pytest.fixture
def engine(built: dict[str, Any], tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return shutil.copytree(built["engine"], tmp_path / "engine")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plays a machine, where a plan that comes as far as its deserializer ends the command with 1."""

    def use(version: str = VERSION, device: DeviceInfo = RTX4090) -> None:
        def opened(*arguments: object) -> NoReturn:
            raise RuntimeError("the plan is read")

        monkeypatch.setattr(TensorRTRTX, "probe", lambda self, index=0: Probe(version, (device,)))
        monkeypatch.setattr(TensorRTRTX, "open", opened)

    return use


def check_whole(built: dict[str, Any], precision: str) -> None:
    """The directory, its manifest and its report say the same."""
    directory = Path(built["engine"])
    manifest = read_manifest(directory)
    verify_engine(directory, manifest)
    extra = {TABLE_FILE} if precision == "int8" else set()
    assert {path.name for path in directory.iterdir()} == {MANIFEST_FILE, "model.plan", "layers.json"} | extra
    assert (manifest.backend, manifest.library, manifest.precision) == ("tensorrt-rtx", VERSION, precision)
    assert (manifest.device.kind, "8.9" in manifest.device.capability.split("/")) == ("cuda", True)
    assert manifest.speed is None
    assert manifest.notes["steps"] == ["strongly typed: built"]
    assert (manifest.calibration_digest is not None) == (precision == "int8")
    assert built["int8_share"] == manifest.int8_share
    report = json.loads((directory / "layers.json").read_text())
    whole = [one for one in report["convolutions"] if not one["depthwise"]]
    quantized = sum(one["macs"] for one in whole if one["int8"])
    share = quantized / sum(one["macs"] for one in whole)
    if precision == "int8":
        assert manifest.int8_share == pytest.approx(share, abs=1e-4)
        assert share >= 0.8
    else:
        assert (manifest.int8_share, share) == (None, 0)


def test_build_leaves_a_whole_engine(built: dict[str, Any]) -> None:
    check_whole(built, built["precision"])


def test_inspect_tells_what_it_is(built: dict[str, Any]) -> None:
    content = printed("inspect", built["engine"])
    assert (content["kind"], content["backend"]) == ("engine", f"tensorrt-rtx {VERSION}")
    assert content["path"] == str(Path(built["engine"]) / "model.plan")
    assert content["manifest"]["int8_share"] == built["int8_share"]
    text = CliRunner().invoke(main, ["inspect", built["engine"]]).stdout
    for part in ("64x96", f"tensorrt-rtx {VERSION}", built["precision"], "NVIDIA RTX GPU", MODEL):
        assert part in text
    assert "unknown convolutions: 0" in text


@pytest.mark.skipif(not loaded_driver().problem, reason="this machine has an NVIDIA GPU")
def test_without_a_gpu_it_does_not_run(engine: Path) -> None:
    told = printed("run", engine, STREET, code=6)
    assert told["exit_code"] == 6
    assert f"{engine} cannot run here" in told["error"]
    assert told["error"].count(". ") == 0
    assert told["fix"]


def test_a_fitting_machine_opens_it(engine: Path, use: Callable[..., None]) -> None:
    use()
    assert "the plan is read" in printed("run", engine, STREET, code=1)["error"]


@pytest.mark.parametrize("name", ["model.plan", "layers.json", TABLE_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_changed_byte_ends_with_3(engine: Path, use: Callable[..., None], name: str, place: str) -> None:
    path = engine / name
    if not path.exists():
        pytest.skip("only INT8 engines have a calibration table")
    content = bytearray(path.read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    path.write_bytes(content)
    use()
    told = printed("run", engine, STREET, code=3)
    assert str(path) in told["error"]
    assert "fcn-edge build" in told["fix"]


@pytest.mark.parametrize("built", ["int8"], indirect=True)
@pytest.mark.parametrize("name", ["model.plan", TABLE_FILE])
def test_a_missing_file_ends_with_3(engine: Path, use: Callable[..., None], name: str) -> None:
    (engine / name).unlink()
    use()
    assert f"{name} is missing" in printed("run", engine, STREET, code=3)["error"]


def test_another_version_of_the_library_ends_with_3(engine: Path, use: Callable[..., None]) -> None:
    use(version="1.8.0.1")
    told = printed("run", engine, STREET, code=3)
    assert f"was built with tensorrt_rtx {VERSION}, and 1.8.0.1 is installed" in told["error"]
    assert f"fcn-edge build {MODEL} --backend tensorrt-rtx" in told["fix"]


def test_a_gpu_that_it_has_no_kernels_for_ends_with_3(engine: Path, use: Callable[..., None]) -> None:
    use(device=ORIN)
    told = printed("run", engine, STREET, code=3)
    assert "its kernels are for compute capability 8.0" in told["error"]
    assert "Orin has 8.7" in told["error"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_full_size_as_people_build_it(precision: str, calibrate: Callable[..., Path], tmp_path: Path) -> None:
    table = calibrate(resolved_model(MODEL).path, (256, 320), 8)
    built = build(precision, "512x1024", table, tmp_path / "engine")
    check_whole(built, precision)
    assert built["size"] == [512, 1024]
    assert "rendered scenes" in built["guard"]
    (candidate,) = built["candidates"]
    assert candidate["kept"]
    assert candidate["end_to_end_ms"] is None
