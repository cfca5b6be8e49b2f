from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.engine_manifest import read_manifest, write_manifest
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.opening import open_engine
from fcn_edge.errors import DeviceError, EngineError, MachineError
from fcn_edge.runtime.segmenter import load

from ..engine_damages import DAMAGES, Damage, cut_plan, plan, rewritten


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_an_engine_error_of_one_sentence(
    engine: Path, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(engine)

    def opened(*_: Any, **__: Any) -> None:
        pytest.fail("a damaged engine reached the deserializer")

    monkeypatch.setattr(OnnxRuntime, "open", opened)
    for use in (load, open_engine):
        with pytest.raises(EngineError) as caught:
            use(engine)
        assert caught.value.exit_code == 3
        assert caught.value.fix
        assert "\n" not in caught.value.fix
        assert "\n" not in caught.value.message
        assert caught.value.message.endswith(".")


def test_whole_engine_opens(engine: Path, tiny: Any) -> None:
    with open_engine(engine) as opened, opened.session() as session:
        assert (opened.spec, opened.size, opened.backend) == (tiny.spec, (64, 96), "onnxruntime")
        image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
        np.testing.assert_allclose(session.scores(image), tiny.scores(image), atol=1e-3)


def test_manifest_is_read_once_by_load_and_by_open_engine(engine: Path, reads: Any) -> None:
    load(engine).close()
    assert reads == {("manifest", engine): 1}
    open_engine(engine).close()
    assert reads == {("manifest", engine): 2}


def test_engine_may_be_moved_and_linked(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    moved = engine.rename(tmp_path / "deeper" / "renamed engine")
    (tmp_path / "current").symlink_to(moved)
    for path in (moved, tmp_path / "current"):
        open_engine(path).close()


def test_what_a_build_would_not_replace_is_to_be_removed_first(engine: Path, tmp_path: Path) -> None:
    plan = engine / "model.onnx"
    plan.rename(tmp_path / "elsewhere.onnx")
    plan.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(EngineError, match="not a regular file") as caught:
        open_engine(engine)
    assert caught.value.fix.startswith("Remove it. Build it again: fcn-edge build ")


def test_another_version_of_the_library_is_refused(engine: Path) -> None:
    rewritten(library="1.0.0")(engine)
    with pytest.raises(EngineError, match=r"built with onnxruntime 1\.0\.0, and .* is installed") as caught:
        open_engine(engine)
    assert "fcn-edge build" in caught.value.fix


def test_missing_kind_of_device_is_a_device_error(engine: Path) -> None:
    rewritten(device={"kind": "cuda", "name": "Orin", "capability": "8.7"})(engine)
    with pytest.raises(DeviceError, match=r"cuda device \(Orin\)") as caught:
        open_engine(engine)
    assert caught.value.exit_code == 6


def test_int8_of_another_instruction_set_is_refused(engine: Path) -> None:
    rewritten(
        precision="int8",
        spec=lambda spec: {**spec, "precision": "int8", "profile": "x"},
        device={"kind": "cpu", "name": "Xeon", "capability": "made-up"},
    )(engine)
    with pytest.raises(EngineError, match="built for Xeon: its int8 graph is for processors with made-up"):
        open_engine(engine)


def test_fp32_of_another_processor_runs(engine: Path) -> None:
    rewritten(device={"kind": "cpu", "name": "Xeon", "capability": "made-up"})(engine)
    open_engine(engine).close()


def test_missing_library_is_a_machine_error(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fcn_edge.backends.base import Probe

    monkeypatch.setattr(OnnxRuntime, "probe", lambda *_: Probe("", problem="It is not installed.", fix="Install."))
    with pytest.raises(MachineError, match="not installed") as caught:
        open_engine(engine)
    assert caught.value.exit_code == 6


def test_checks_come_in_their_order(engine: Path, tiny: Any) -> None:
    """Hashes, then the library, then the kind of device."""
    rewritten(library="1.0.0", device={"kind": "cuda", "name": "Orin", "capability": "8.7"})(engine)
    cut_plan(engine)
    with pytest.raises(EngineError, match="SHA-256"):
        open_engine(engine)
    shutil.copyfile(tiny.path, plan(engine))
    with pytest.raises(EngineError, match=r"built with onnxruntime 1\.0\.0"):
        open_engine(engine)
    rewritten(library=OnnxRuntime().probe().version)(engine)
    with pytest.raises(DeviceError, match="finds none here"):
        open_engine(engine)


def test_engine_that_does_not_take_what_its_manifest_says_is_refused(engine: Path) -> None:
    manifest = read_manifest(engine)
    write_manifest(engine, manifest.model_copy(update={"batch": 4}))
    with pytest.raises(EngineError, match="batches of 1; its manifest says 4") as caught:
        open_engine(engine)
    assert "--batch 4" in caught.value.fix


GPU_ENGINE = {"name": "Orin (16 SM)", "kind": "cuda", "capability": "8.7"}


@pytest.fixture
def on_orin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts an Orin into the machine, and a library behind the backend of the engine that chooses kernels on it."""
    from fcn_edge.backends.base import Probe
    from fcn_edge.backends.tensorrt import TensorRT

    version = OnnxRuntime().probe().version

    def use(board: str, multiprocessors: int, mode: str) -> None:
        here = DeviceInfo("cuda", "Orin", "8.7", board, multiprocessors, mode)
        monkeypatch.setattr(OnnxRuntime, "probe", lambda *_: Probe(version, (here,)))
        for name in ("incompatibility", "slower_here", "_incompatibility_of_board"):
            monkeypatch.setattr(OnnxRuntime, name, vars(TensorRT)[name], raising=False)

    return use


def test_engines_are_known_by_the_board_and_not_by_its_power_mode(
    engine: Path, on_orin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    agx, nano = "NVIDIA Jetson AGX Orin Developer Kit", "NVIDIA Jetson Orin Nano Developer Kit"
    device = {"kind": "cuda", "name": "Orin", "capability": "8.7", "board": agx}
    rewritten(device={**device, "multiprocessors": 16, "power_mode": "MAXN"})(engine)
    on_orin(agx, 16, "MAXN")
    open_engine(engine).close()
    assert not caplog.messages
    on_orin(agx, 8, "30W")
    open_engine(engine).close()
    (said,) = caplog.messages
    assert "chosen by their speed with 16 SM, power mode MAXN, and this GPU has 8 SM, power mode 30W. For best" in said
    assert f"build it again: fcn-edge build {read_manifest(engine).model}" in said
    on_orin(nano, 8, "15W")
    with pytest.raises(EngineError, match=f"built for {agx}: .* and this is {nano}"):
        open_engine(engine)
    on_orin("", 16, "")  # a container that hides the device tree
    open_engine(engine).close()


def test_engines_of_before_boards_were_known_open(engine: Path, on_orin: Any, caplog: pytest.LogCaptureFixture) -> None:
    rewritten(device=GPU_ENGINE)(engine)
    manifest = read_manifest(engine)
    assert (manifest.device.name, manifest.device.multiprocessors) == ("Orin", 16)
    on_orin("NVIDIA Jetson AGX Orin Developer Kit", 16, "MAXN")
    open_engine(engine).close()
    assert not caplog.messages
    on_orin("NVIDIA Jetson AGX Orin Developer Kit", 8, "30W")
    open_engine(engine).close()
    assert "with 16 SM, and this GPU has 8 SM, power mode 30W" in caplog.text
