"""Every encoder with every decoder in every precision as an engine of TensorRT-RTX, which needs no GPU to build."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, TABLE_FILE, read_manifest, verify_engine
from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.builder import PRECISIONS, BuildRequest, build_engine, tuner
from fcn_edge.nets.encoders import ENCODERS
from fcn_edge.street import Street

from ..exported_networks import CLASSES, Exported, exported_net, random_net

SIZE = (96, 160)
NETS = [f"{encoder}-{decoder}" for encoder in ENCODERS for decoder in DECODER_STRIDES]
QUICK = ["resnet50-fcn16s", "mobilenet_v2-fcn8s"]
"""One with residual sums, which is thin, and one with depthwise convolutions; VGG-16 has nothing that they lack."""


@pytest.fixture(autouse=True)
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws no streets to time engines on that cannot run here."""
    monkeypatch.setattr(tuner, "frames_to_time", lambda: [np.zeros((*SIZE, 3), np.uint8)])


@pytest.fixture(scope="module")
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """One of the nine; its file is removed afterwards, because together they take a gigabyte."""
    encoder, decoder = request.param.split("-")
    images = [Street(seed=seed, size=SIZE, frames=1).frame(0)[0] for seed in range(3)]
    net = random_net(encoder, (decoder,), images, full_width=request.param not in QUICK)
    made = exported_net(net, request.param, tmp_path_factory.mktemp(request.param))
    yield made
    made.path.unlink()


@pytest.fixture(scope="module")
def table(net: Exported, calibrate: Callable[..., Path]) -> Path:
    return calibrate(net.path, SIZE, 2)


def check(net: Exported, precision: str, table: Path, directory: Path) -> None:
    """Build and look at what came of it."""
    how: dict[str, Any] = {"calibration": table} if precision == "int8" else {}
    # nobody trained these: there is no accuracy to hold them to
    request = BuildRequest("tensorrt-rtx", precision, size=SIZE, guard=False, **how)
    built = build_engine(net.path, request, output=directory)
    manifest = read_manifest(directory)
    verify_engine(directory, manifest)
    assert manifest == built.manifest
    extra = {TABLE_FILE} if precision == "int8" else set()
    assert {path.name for path in directory.iterdir()} == {MANIFEST_FILE, "model.plan", "layers.json"} | extra
    assert (manifest.backend, manifest.precision, manifest.size) == ("tensorrt-rtx", precision, SIZE)

    report = json.loads((directory / "layers.json").read_text())
    convolutions = {one["name"]: one for one in report["convolutions"]}
    assert {f"decoder.score{stride}" for stride in (8, 16, 32) if stride >= net.spec.stride} <= convolutions.keys()
    kernels = [layer["inputs"][0]["element"] for layer in report["layers"] if layer["kind"] == "correlation"]
    if precision == "int8":
        whole = {name: one["macs"] for name, one in convolutions.items() if not one["depthwise"]}
        quantized = sum(macs for name, macs in whole.items() if convolutions[name]["int8"])
        assert manifest.int8_share == pytest.approx(quantized / sum(whole.values()), abs=1e-4)
        assert manifest.int8_share >= 0.8
        assert kernels.count("int8") >= len(kernels) / 3
    else:
        assert manifest.int8_share is None
        assert set(kernels) == {precision}
    scores = report["layers"][-1]["outputs"][0]
    grid = [side // net.spec.stride for side in SIZE]
    assert [side for side in scores["shape"] if side != 1] == [CLASSES, *grid]


@pytest.mark.parametrize("net", QUICK, indirect=True)
def test_int8_with_sums_and_with_depthwise_convolutions(net: Exported, table: Path, tmp_path: Path) -> None:
    check(net, "int8", table, tmp_path / "engine")


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("net", NETS, indirect=True)
def test_every_net_in_every_precision(net: Exported, precision: str, table: Path, tmp_path: Path) -> None:
    check(net, precision, table, tmp_path / "engine")
