"""Exported networks, each made once. A test that asks for one is skipped where there is no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import CalibratedImage, CalibrationTable, TensorRange
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec, Size
from fcn_edge.street import Street

from .exported_networks import ALL_NETS, QUICK_NETS, SMALL, Exported, exported_net, random_net

if TYPE_CHECKING:
    from fcn_edge.nets.fcn import FCN
    from fcn_edge.quantization.graph import GraphView
    from fcn_edge.quantization.typed_graph import Typed

Images = list[NDArray[np.uint8]]


@pytest.fixture(scope="session")
def images_of_size() -> Callable[[Size], Images]:
    """Three rendered frames of a size, always the same."""
    kept: dict[Size, Images] = {}

    def images(size: Size) -> Images:
        if size not in kept:
            kept[size] = [Street(seed=seed, size=size, frames=1).frame(0)[0] for seed in range(3)]
        return kept[size]

    return images


@pytest.fixture(scope="session")
def exporting() -> None:
    """Where what exports a network is installed."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")


@pytest.fixture(scope="session")
def three_decoders(exporting: None, images_of_size: Callable[[Size], Images]) -> FCN:
    """MobileNetV2 with all three decoders on it."""
    return random_net("mobilenet_v2", tuple(DECODER_STRIDES), images_of_size((96, 160)))


@pytest.fixture(scope="session")
def small(three_decoders: FCN, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """MobileNetV2 FCN-8s, exported."""
    return exported_net(three_decoders.single("fcn8s"), SMALL, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_checkpoint(small: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of ``small``."""
    from fcn_edge.nets.checkpoints import save_checkpoint

    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    save_checkpoint(path, small.net, small.spec)
    return path


@pytest.fixture(
    scope="session",
    params=[pytest.param(name, marks=() if name in QUICK_NETS else pytest.mark.slow) for name in ALL_NETS],
)
def exported(
    request: pytest.FixtureRequest, small: Exported, images_of_size: Callable[[Size], Images]
) -> Iterator[Exported]:
    """Each of the nine networks, exported; one at a time, because together they take a gigabyte.

    Those that only slow tests see have all of their encoder's channels.
    """
    if request.param == SMALL:
        yield small
        return
    encoder, decoder = request.param.split("-")
    net = random_net(encoder, (decoder,), images_of_size((96, 160)), full_width=request.param not in QUICK_NETS)
    with tempfile.TemporaryDirectory() as directory:
        yield exported_net(net, request.param, Path(directory))


@pytest.fixture(scope="session")
def made_table(images_of_size: Callable[[Size], Images]) -> Callable[[Path, ModelSpec], CalibrationTable]:
    """A calibration table of a model on three rendered frames."""
    from fcn_edge.quantization.calibrate import ranges_of_images

    def table(path: Path, spec: ModelSpec) -> CalibrationTable:
        return table_of(path, spec, ranges_of_images(resolved_model(path), images_of_size((96, 160)), threads=1))

    return table


@pytest.fixture(scope="session")
def small_table(small: Exported, made_table: Callable[[Path, ModelSpec], CalibrationTable]) -> CalibrationTable:
    """The calibration table of ``small``."""
    return made_table(small.path, small.spec)


@pytest.fixture(scope="session")
def table(
    exported: Exported, small: Exported, small_table: CalibrationTable, made_table: Callable[..., CalibrationTable]
) -> CalibrationTable:
    """The calibration table of ``exported``."""
    return small_table if exported is small else made_table(exported.path, exported.spec)


@pytest.fixture(scope="session")
def view(exported: Exported) -> GraphView:
    """The float graph of ``exported``; not to be changed."""
    import onnx

    from fcn_edge.quantization.graph import GraphView

    return GraphView(onnx.load_model(exported.path))


@pytest.fixture(scope="session")
def int8(exported: Exported, table: CalibrationTable) -> Callable[[str], Typed]:
    """``exported`` in INT8 by the profile of a name, each made once; not to be changed."""
    from fcn_edge.quantization.profiles import PROFILES
    from fcn_edge.quantization.typed_graph import int8_model

    return cache(lambda profile: int8_model(exported.model, PROFILES[profile], table, method="mse"))


@pytest.fixture(scope="session")
def int8_file(small: Exported, small_table: CalibrationTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``small`` in INT8, for ONNX Runtime."""
    import onnx

    from fcn_edge.quantization.profiles import PROFILES
    from fcn_edge.quantization.typed_graph import int8_model

    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    onnx.save_model(int8_model(small.model, PROFILES["onnxruntime"], small_table, method="mse").model, path)
    return path


def table_of(path: Path, spec: ModelSpec, ranges: dict[str, TensorRange]) -> CalibrationTable:
    return CalibrationTable(
        model=spec.name,
        model_digest=model_digest(path),
        resize=spec.resize,
        normalization=spec.normalization,
        size=spec.size,
        dataset="rendered",
        rendered=True,
        chosen="Three frames.",
        images=tuple(CalibratedImage(name=f"{index}", sha256=f"{index:064x}") for index in range(3)),
        tensors=ranges,
    )
