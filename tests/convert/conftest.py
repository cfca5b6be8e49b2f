"""Exported networks, each made once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.encoders import ENCODERS
from fcn_edge.nets.fcn import FCN
from fcn_edge.spec import DECODER_STRIDES, Size
from fcn_edge.street import Street

from .networks import Exported, exported_net, random_net

SMALL = "mobilenet_v2-fcn8s"
ALL_NETS = [f"{encoder}-{decoder}" for encoder in ENCODERS for decoder in DECODER_STRIDES]

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
def three_decoders(images_of_size: Callable[[Size], Images]) -> FCN:
    """MobileNetV2 with all three decoders on it."""
    return random_net("mobilenet_v2", tuple(DECODER_STRIDES), images_of_size((96, 160)))


@pytest.fixture(scope="session")
def small(three_decoders: FCN, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """MobileNetV2 FCN-8s, exported."""
    return exported_net(three_decoders.single("fcn8s"), SMALL, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_checkpoint(small: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of ``small``."""
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    save_checkpoint(path, small.net, small.spec)
    return path


@pytest.fixture(scope="session", params=ALL_NETS)
def exported(
    request: pytest.FixtureRequest, small: Exported, images_of_size: Callable[[Size], Images]
) -> Iterator[Exported]:
    """Each of the nine networks, exported; one at a time, because together they take a gigabyte."""
    if request.param == SMALL:
        yield small
        return
    encoder, decoder = request.param.split("-")
    net = random_net(encoder, (decoder,), images_of_size((96, 160)))
    with tempfile.TemporaryDirectory() as directory:
        yield exported_net(net, request.param, Path(directory))
