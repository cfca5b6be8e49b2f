"""The authors' ``.caffemodel`` files, against the published network with full transposed convolutions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.caffemodel import caffemodel_weights
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.caffe import caffe_network
from fcn_edge.export.network import Image
from fcn_edge.export.onnx import onnx_from_checkpoint
from fcn_edge.export.parity import parity_of_onnx
from fcn_edge.export.torch_network import TorchNetwork

from ...caffemodel_writer import layer, old_layer, part
from .published_vgg_fcn import MEAN_BGR, VGG16, PublishedFcn, Theirs, random_published

SIZE, OTHER_SIZE = (96, 128), (101, 147)
CLASSES = 7
SIFT_FLOW_BGR = (114.578, 115.294, 108.353)


@pytest.fixture(scope="module")
def images(images_of_size: Any) -> list[Image]:
    kept: list[Image] = images_of_size((120, 160))
    return kept


@pytest.fixture(scope="module")
def fcn8s(images: list[Image]) -> PublishedFcn:
    return random_published("fcn8s", images)


def no_change(name: str) -> str:
    return name


def saved(
    net: PublishedFcn,
    path: Path,
    *,
    scales: bool = False,
    pad: int | tuple[int, ...] | None = 100,
    named: Callable[[str], str] = no_change,
    write: Callable[..., bytes] = layer,
    more: bytes = b"",
) -> Path:
    """The network as Caffe writes it; ``scales`` adds the Scale layers of the network that was trained at once."""
    content = part(1, b"net") + (layer("data", "Python") if write is layer else b"") + more
    for name, module in net.named_children():
        blobs = [value.detach().numpy() for value in module.parameters()]
        kind = "Deconvolution" if isinstance(module, torch.nn.ConvTranspose2d) else "Convolution"
        content += write(named(name), kind, blobs, pad=pad if name == "conv1_1" else 1)
    if scales:
        for name, channels, scale in zip(("pool4", "pool3"), (12, 10), net.published.scales, strict=True):
            content += layer(f"scale_{name}", "Scale", [np.full(channels, scale, np.float32)])
    path.write_bytes(content)
    return path


def imported(path: Path, **options: Any) -> TorchNetwork:
    return caffe_network(caffemodel_weights(path), ImportOptions(**options))


def check(net: PublishedFcn, path: Path, output: Path, images: list[Image], mean: Any = MEAN_BGR) -> None:
    result = onnx_from_checkpoint(path, output, options=ImportOptions(size=SIZE), images=images[:1])
    for size in (SIZE, OTHER_SIZE):
        parity = parity_of_onnx(output, Theirs(net, result.spec, mean), images[1:], size=size)
        assert parity.max_abs_diff <= 1e-3 * parity.score_range
        assert parity.label_agreement >= 0.999
        assert len(parity.classes) >= 5


def same(one: TorchNetwork, other: TorchNetwork) -> bool:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    return bool(np.allclose(one.scores(image), other.scores(image), atol=1e-5))


def test_masks_are_those_of_the_published_network(images: list[Image], tmp_path: Path) -> None:
    net = random_published("fcn8s", images, classes=CLASSES)
    path = saved(net, tmp_path / "net.caffemodel")
    check(net, path, tmp_path / "net.onnx", images)
    spec = imported(path).spec
    assert (spec.family, spec.decoder, spec.name, len(spec.classes)) == ("caffe", "fcn8s", "vgg16-fcn8s", CLASSES)


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s"])
@pytest.mark.slow
def test_masks_of_the_coarser_networks(name: str, images: list[Image], tmp_path: Path) -> None:
    net = random_published(name, images, classes=CLASSES)
    check(net, saved(net, tmp_path / "net.caffemodel"), tmp_path / "net.onnx", images)


def test_at_once_is_known_by_its_scale_layers_and_its_own_numbers_count(images: list[Image], tmp_path: Path) -> None:
    net = random_published("fcn8s-atonce", images)
    path = saved(net, tmp_path / "net.caffemodel", scales=True)
    network = imported(path)
    theirs = Theirs(net, network.spec)
    for image in images[:2]:
        np.testing.assert_allclose(network.scores(image), theirs.scores(image), atol=1e-3)
    assert network.spec.decoder == "fcn8s-atonce"
    staged = imported(saved(net, tmp_path / "staged.caffemodel"))
    assert staged.spec.decoder == "fcn8s"
    assert not same(network, staged)
    with pytest.raises(UsageError, match="is fcn8s-atonce by its layers, not fcn8s"):
        imported(path, arch="fcn8s")
    content = path.read_bytes() + layer("scale_pool5", "Scale", [np.ones(2, np.float32)])
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"also holds scale_pool5\.weight"):
        imported(path)


@pytest.mark.slow
def test_masks_at_full_width(images: list[Image], tmp_path: Path) -> None:
    net = random_published("fcn8s", images, widths=VGG16)
    check(net, saved(net, tmp_path / "net.caffemodel"), tmp_path / "net.onnx", images)


def test_each_scale_counts_on_its_own(fcn8s: PublishedFcn, tmp_path: Path) -> None:
    plain = imported(saved(fcn8s, tmp_path / "plain.caffemodel"))
    one = layer("scale_pool4", "Scale", [np.full(12, 0.5, np.float32)])
    scaled = imported(saved(fcn8s, tmp_path / "one.caffemodel", more=one))
    halved = copy.deepcopy(fcn8s)
    halved.score_pool4.weight.data /= 2
    assert not same(plain, scaled)
    assert same(scaled, imported(saved(halved, tmp_path / "halved.caffemodel")))
    unnumbered = saved(fcn8s, tmp_path / "unnumbered.caffemodel", more=layer("scale_pool3", "Scale"))
    halved.score_pool4.weight.data *= 2
    halved.score_pool3.weight.data *= 1e-4
    assert same(imported(unnumbered), imported(saved(halved, tmp_path / "faint.caffemodel")))


def test_sift_flow_gives_its_semantic_classes(images: list[Image], tmp_path: Path) -> None:
    net = random_published("fcn16s", images, classes=33)
    geometric = random_published("fcn16s", images, classes=3)

    def semantic(name: str) -> str:
        return f"{name}_sem" if "score" in name else name

    twins = b"".join(
        layer(f"{name}_geo", "Convolution", [value.detach().numpy() for value in module.parameters()])
        for name, module in geometric.named_children()
        if "score" in name
    )
    network = imported(saved(net, tmp_path / "net.caffemodel", named=semantic, more=twins))
    assert len(network.spec.classes) == 33
    assert network.spec.normalization.mean == SIFT_FLOW_BGR
    assert "semantic" in network.notes[0]
    theirs = Theirs(net, network.spec, SIFT_FLOW_BGR)
    np.testing.assert_allclose(network.scores(images[0]), theirs.scores(images[0]), atol=1e-3)


def test_pascal_context_has_its_authors_order_of_classes(images: list[Image], tmp_path: Path) -> None:
    net = random_published("fcn32s", images, classes=60)
    spec = imported(saved(net, tmp_path / "net.caffemodel")).spec
    assert spec.classes == LABEL_SETS["pascal-context-caffe"].classes
    assert spec.normalization.mean == (104.007, 116.669, 122.679)


def test_old_files_and_fully_connected_layers(fcn8s: PublishedFcn, tmp_path: Path) -> None:
    new = imported(saved(fcn8s, tmp_path / "new.caffemodel"))

    def write(name: str, kind: str, blobs: list[Any], pad: int) -> bytes:
        if name in ("fc6", "fc7"):
            return old_layer(name, "InnerProduct", [blobs[0].reshape(len(blobs[0]), -1), blobs[1]])
        return old_layer(name, kind, blobs, pad=pad)

    assert same(new, imported(saved(fcn8s, tmp_path / "old.caffemodel", write=write)))


def test_other_networks_are_refused_with_their_layers(fcn8s: PublishedFcn, tmp_path: Path) -> None:
    path = tmp_path / "alexnet.caffemodel"
    path.write_bytes(layer("conv1", "Convolution", [np.ones((2, 3, 11, 11), np.float32)]) + layer("norm1", "LRN"))
    with pytest.raises(CheckpointError, match=r"Its layers are conv1, norm1\."):
        imported(path)
    for pad, sides in ((1, "1"), ((1, 100), "1 and 100"), ((), "0 and 0")):
        with pytest.raises(CheckpointError, match=f"pads the image by {sides} in conv1_1; 100 was expected"):
            imported(saved(fcn8s, tmp_path / "pad.caffemodel", pad=pad))
    for pad in ((100, 100), None):  # a file without the layers' settings says nothing against it
        assert imported(saved(fcn8s, tmp_path / "pad.caffemodel", pad=pad)).spec.decoder == "fcn8s"
    with pytest.raises(CheckpointError, match="HHA"):
        imported(saved(fcn8s, tmp_path / "nyud-fcn32s-HHA-heavy.caffemodel"))
    scales = layer("scale_pool4", "Scale", [np.ones(3, np.float32)]) + layer("scale_pool3", "Scale")
    path = saved(fcn8s, tmp_path / "scaled.caffemodel", more=scales)
    with pytest.raises(CheckpointError, match="scales the input of score_pool4 by 3 numbers"):
        imported(path)
