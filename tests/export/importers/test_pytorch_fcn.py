"""Checkpoints of wkentaro/pytorch-fcn, against the published network with full transposed convolutions."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.weights import weights_of
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers import pytorch_fcn
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.network import Image
from fcn_edge.export.onnx import onnx_from_checkpoint
from fcn_edge.export.parity import parity_of_onnx
from fcn_edge.export.torch_network import TorchNetwork

from .published_vgg_fcn import PUBLISHED, VGG16, PublishedFcn, Theirs, random_published

SIZE, OTHER_SIZE = (96, 128), (101, 147)
CLASSES = 7
"""Of the networks that are exported: a full transposed convolution over 21 takes nine times as long."""

CASES = [
    pytest.param("fcn32s", (), marks=pytest.mark.slow),
    pytest.param("fcn16s", (), marks=pytest.mark.slow),
    pytest.param("fcn8s", ("upscore2",), marks=pytest.mark.slow),
    pytest.param("fcn8s-atonce", ()),
    pytest.param("fcn16s", ("upscore16",), marks=pytest.mark.slow),
    pytest.param("fcn8s", ("upscore2", "upscore_pool4", "upscore8"), marks=pytest.mark.slow),
    pytest.param("fcn32s", ("upscore",), marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def images(images_of_size: Any) -> list[Image]:
    kept: list[Image] = images_of_size((120, 160))
    return kept


@pytest.fixture(scope="module")
def fcn8s(images: list[Image]) -> PublishedFcn:
    return random_published("fcn8s", images)


def saved(net: PublishedFcn, path: Path, **beside: Any) -> Path:
    """A checkpoint as ``torch.save`` of a state_dict gives it, or as the trainer's where something is beside it."""
    state = net.state_dict()
    torch.save({"epoch": 3, "model_state_dict": state, **beside} if beside else state, path)
    return path


def imported(path: Path, **options: Any) -> TorchNetwork:
    return pytorch_fcn.network(weights_of(path), ImportOptions(**options))


def check(net: PublishedFcn, path: Path, output: Path, images: Sequence[Image], arch: str | None) -> TorchNetwork:
    """Export a checkpoint and compare the file with the published network, at two sizes."""
    result = onnx_from_checkpoint(path, output, options=ImportOptions(arch=arch, size=SIZE), images=images[:1])
    for size in (SIZE, OTHER_SIZE):
        parity = parity_of_onnx(output, Theirs(net, result.spec), images[1:], size=size)
        assert parity.max_abs_diff <= 1e-3 * parity.score_range
        assert parity.label_agreement >= 0.999
        assert len(parity.classes) >= 5
    return imported(path, arch=arch)


@pytest.mark.parametrize(("name", "learned"), CASES)
def test_masks_are_those_of_the_published_network(
    name: str, learned: tuple[str, ...], images: list[Image], tmp_path: Path
) -> None:
    net = random_published(name, images, classes=CLASSES, learned=learned)
    network = check(net, saved(net, tmp_path / "net.pth"), tmp_path / "net.onnx", images, name)
    spec = network.spec
    assert (spec.family, spec.encoder, spec.decoder, spec.size) == ("pytorch-fcn", "vgg16", name, (500, 500))
    layer, kernel, _ = PUBLISHED[name].last
    if layer in learned:
        assert (spec.stride, spec.geometry) == (1, Geometry(size_multiple=1))
        assert [layer in note and "7 MB of scores" in note for note in network.notes] == [True]
    else:
        assert (spec.stride, spec.geometry.size_multiple) == (kernel // 2, 1)
        assert not network.notes


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_masks_at_full_width(name: str, images: list[Image], tmp_path: Path) -> None:
    net = random_published(name, images, widths=VGG16)
    check(net, saved(net, tmp_path / "net.pth"), tmp_path / "net.onnx", images, name)


def first_scores(network: TorchNetwork) -> np.ndarray[Any, np.dtype[np.float32]]:
    return network.scores(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))


def test_staged_and_at_once_share_every_key_and_are_asked_for(fcn8s: PublishedFcn, tmp_path: Path) -> None:
    path = saved(fcn8s, tmp_path / "model.pth")
    with pytest.raises(UsageError) as caught:
        imported(path)
    for word in ("--arch fcn8s ", "--arch fcn8s-atonce", "0.01", "0.0001"):
        assert word in caught.value.fix
    assert "--decoder" not in caught.value.message
    with pytest.raises(UsageError, match="--decoder does not tell them apart, --arch does") as caught:
        imported(path, decoder="fcn8s")
    assert "--arch fcn8s-atonce" in caught.value.fix
    staged, at_once = imported(path, arch="fcn8s"), imported(path, arch="vgg16-fcn8s-atonce")
    assert (staged.spec.decoder, at_once.spec.decoder) == ("fcn8s", "fcn8s-atonce")
    assert staged.spec.classes == at_once.spec.classes == LABEL_SETS["voc"].classes
    assert staged.spec.normalization.color_order == "bgr"
    assert not np.allclose(first_scores(staged), first_scores(at_once))
    for arch in ("fcn16s", "mobilenet_v2-fcn8s"):
        with pytest.raises(UsageError, match="is not"):
            imported(path, arch=arch)
    with pytest.raises(UsageError, match="is fcn8s, not fcn32s"):
        imported(path, arch="fcn8s", decoder="fcn32s")


@pytest.mark.parametrize(
    ("file_name", "which"),
    [
        ("fcn8s-atonce_from_caffe.pth", "fcn8s-atonce"),
        ("my_FCN8sAtOnce.pth", "fcn8s-atonce"),
        ("fcn8s_from_caffe.pth", "fcn8s"),
    ],
)
def test_a_file_s_name_tells_and_arch_overrules_it(
    fcn8s: PublishedFcn, tmp_path: Path, file_name: str, which: str
) -> None:
    path = saved(fcn8s, tmp_path / file_name)
    network = imported(path)
    assert network.spec.decoder == which
    assert "--arch" in network.notes[0]
    other = ({"fcn8s", "fcn8s-atonce"} - {which}).pop()
    assert imported(path, arch=other).spec.decoder == other


def test_the_released_files_are_known_by_their_sum(
    fcn8s: PublishedFcn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(fcn8s, tmp_path / "fcn8s_from_caffe.pth")
    monkeypatch.setitem(pytorch_fcn.MD5, hashlib.md5(path.read_bytes()).hexdigest(), "fcn8s-atonce")
    network = imported(path)
    assert (network.spec.decoder, network.notes) == ("fcn8s-atonce", ())


@pytest.mark.parametrize(("arch", "which"), [("FCN8s", "fcn8s"), ("FCN8sAtOnce", "fcn8s-atonce")])
def test_the_trainer_s_checkpoint_says_which(fcn8s: PublishedFcn, tmp_path: Path, arch: str, which: str) -> None:
    path = saved(fcn8s, tmp_path / "model_best.pth.tar", arch=arch, best_mean_iu=0.6)
    assert imported(path).spec.decoder == which
    other = ({"fcn8s", "fcn8s-atonce"} - {which}).pop()
    with pytest.raises(UsageError, match=f"is {which}, not {other}"):
        imported(path, arch=other)


class FCN8sAtOnce(PublishedFcn):
    """The name of the class is what a pickled network says of itself."""


def test_a_pickled_network_says_which_by_its_class(images: list[Image], tmp_path: Path) -> None:
    net = random_published("fcn8s-atonce", images)
    net.__class__ = FCN8sAtOnce
    torch.save(net, tmp_path / "fcn8s_from_caffe_tuned.pth")
    assert imported(tmp_path / "fcn8s_from_caffe_tuned.pth").spec.decoder == "fcn8s-atonce"
    with pytest.raises(UsageError, match="is fcn8s-atonce, not fcn8s"):
        imported(tmp_path / "fcn8s_from_caffe_tuned.pth", arch="fcn8s")


def test_a_wrapper_that_contradicts_its_layers(fcn8s: PublishedFcn, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="says that it is fcn32s, and holds the layers of fcn8s"):
        imported(saved(fcn8s, tmp_path / "net.pth", arch="FCN32s"))


def changed(net: PublishedFcn, path: Path, **tensors: torch.Tensor | None) -> Path:
    state = OrderedDict(net.state_dict())
    for name, tensor in tensors.items():
        key = name.replace("__", ".")
        state.pop(key, None)
        if tensor is not None:
            state[key] = tensor
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"upscore8__weight": None}, "holds 0 of the upsampling layers"),
        ({"upscore__weight": torch.zeros(21, 21, 64, 64)}, "holds 2 of the upsampling layers"),
        ({"score_pool3__bias": None}, "lacks score_pool3.bias"),
        ({"score_pool3__weight": torch.zeros(21, 11, 1, 1)}, r"\(21, 11, 1, 1\), and \(21, 10, 1, 1\) was expected"),
        ({"conv1_1__weight": torch.zeros(6)}, "has no convolution conv1_1"),
        ({"fc6__weight": torch.zeros(24, 14 * 49)}, "has no convolution fc6"),
        ({"fc6__weight": torch.zeros(24, 14, 5, 5)}, r"\(24, 14, 7, 7\) was expected"),
        ({"another__weight": torch.zeros(2)}, "also holds another.weight"),
        ({"upscore2__weight": torch.zeros(21, 21, 6, 6)}, r"\(21, 21, 4, 4\) was expected"),
        ({"score_fr__weight": torch.zeros(())}, "has no convolution score_fr"),
        ({"score_fr__bias": torch.zeros(3)}, "score_fr.bias is"),
        # what they would take together is more than any machine has
        ({"fc6__weight": torch.zeros(10**6, 1, 1, 1), "fc7__weight": torch.zeros(10**6, 1, 1, 1)}, "was expected"),
    ],
)
def test_other_tensors_are_refused_before_memory_is_taken(
    fcn8s: PublishedFcn, tmp_path: Path, tensors: dict[str, torch.Tensor | None], sentence: str
) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        imported(changed(fcn8s, tmp_path / "net.pth", **tensors), arch="fcn8s")


def test_numbers_in_half_precision_keep_the_upsampling_out_of_the_graph(fcn8s: PublishedFcn, tmp_path: Path) -> None:
    path = tmp_path / "half.pth"
    torch.save({key: value.half() for key, value in fcn8s.state_dict().items()}, path)
    assert imported(path, arch="fcn8s").spec.stride == 8


def test_other_class_counts_are_numbered_and_other_means_are_taken(images: list[Image], tmp_path: Path) -> None:
    path = saved(random_published("fcn32s", images, classes=8), tmp_path / "net.pth")
    spec = imported(path, mean=(1.0, 2.0, 3.0), color_order="rgb", size=(33, 47)).spec
    assert spec.classes == tuple(f"class {index}" for index in range(8))
    assert (spec.normalization.mean, spec.normalization.color_order, spec.size) == ((1, 2, 3), "rgb", (33, 47))
