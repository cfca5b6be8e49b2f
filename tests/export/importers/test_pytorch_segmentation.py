from __future__ import annotations

import argparse
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS, LabelSet, generated_palette
from fcn_edge.artifacts.weights import Weights, weights_of
from fcn_edge.errors import UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.pytorch_segmentation import OTHER_NAMES
from fcn_edge.export.importers.torchvision import FAMILY
from fcn_edge.export.onnx import onnx_from_checkpoint

from .described import Described, reference_of, require_equal
from .torchvision_networks import BLOCKS, torchvision_fcn

SIZE, ODD = (96, 160), (71, 117)


def checkpoint_of(state: dict[str, torch.Tensor], **fields: object) -> dict[str, object]:
    """What ``train.py`` saves."""
    return {
        "model": state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.01, "params": [0, 1]}]},
        "epoch": 12,
        "args": argparse.Namespace(arch="fcn_resnet18", aux_loss=True, width=SIZE[1], height=SIZE[0]),
        "arch": "fcn_resnet18",
        "dataset": "voc",
        "num_classes": 21,
        "resolution": SIZE,
        "accuracy": torch.tensor(87.5),
        "mean_IoU": 41.25,
        **fields,
    }


@pytest.fixture(scope="module")
def described(images_of_size) -> Described:
    return torchvision_fcn(images_of_size(SIZE), blocks=BLOCKS[18], bottleneck=False)


@pytest.fixture
def weights(described: Described, tmp_path: Path):
    def saved(**fields: object) -> Weights:
        torch.save(checkpoint_of(described.state, **fields), tmp_path / "model_best.pth")
        return weights_of(tmp_path / "model_best.pth")

    return saved


def test_checkpoint_gives_the_networks_own_scores_and_masks(described, images_of_size, tmp_path) -> None:
    images = images_of_size(SIZE)
    checkpoint, output = tmp_path / "model_best.pth", tmp_path / "net.onnx"
    torch.save(checkpoint_of(described.state), checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, images=images).spec
    require_equal(output, reference_of(described), images[:2], SIZE, ODD)
    assert (spec.family, spec.name, spec.stride, spec.size) == ("pytorch-segmentation", "fcn_resnet18", 32, SIZE)
    assert spec.resize.policy == "stretch"
    assert spec.classes == LABEL_SETS["voc"].classes


@pytest.mark.parametrize(
    ("resolution", "size"),
    [(320, (320, 320)), ((256, 512), (256, 512)), ("large", (320, 320)), ((0, 512), (320, 320)), (True, (320, 320))],
)
def test_size_is_the_resolution(weights, resolution, size) -> None:
    assert FAMILY.network(weights(resolution=resolution), ImportOptions()).spec.size == size


def test_classes_of_other_data_sets_have_no_names(weights) -> None:
    """They have 21 scores, whatever the data set."""
    network = FAMILY.network(weights(dataset="cityscapes"), ImportOptions())
    assert network.spec.classes[:2] == ("class 0", "class 1")
    assert network.notes == (OTHER_NAMES,)
    names = LabelSet("mine", tuple(f"kind {index}" for index in range(21)), generated_palette(21), 255)
    network = FAMILY.network(weights(dataset="cityscapes"), ImportOptions(labels=names))
    assert (network.spec.classes, network.notes) == (names.classes, ())
    few = LabelSet("deepscene", ("trail", "grass", "vegetation", "obstacle", "sky"), generated_palette(5), 255)
    network = FAMILY.network(weights(dataset="deepscene"), ImportOptions(labels=few))
    spec = network.spec
    assert network.notes == ("It scores 21 classes and 5 have names: the others are called unused 5 to unused 20.",)
    assert spec.classes[:6] == (*few.classes, "unused 5")
    assert (len(spec.classes), len(set(spec.palette))) == (21, 21)
    many = LabelSet("many", tuple(map(str, range(30))), generated_palette(30), 255)
    with pytest.raises(UsageError, match="many has 30 classes; the checkpoint has 21"):
        FAMILY.network(weights(dataset="many"), ImportOptions(labels=many))


def test_the_same_keys_alone_are_torchvisions(described, tmp_path) -> None:
    torch.save(described.state, tmp_path / "net.pth")
    network = FAMILY.network(weights_of(tmp_path / "net.pth"), ImportOptions())
    spec = network.spec
    assert "without dilation, with scores of stride 32" in network.notes[0]
    assert (spec.family, spec.stride, spec.resize.policy) == ("torchvision", 32, "pad")


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 50])
def test_full_width(images_of_size, tmp_path: Path, depth: int) -> None:
    images = images_of_size(SIZE)
    net = torchvision_fcn(images, blocks=BLOCKS[depth], bottleneck=depth >= 50, width=64)
    checkpoint, output = tmp_path / "model_best.pth", tmp_path / "net.onnx"
    torch.save(checkpoint_of(net.state, arch=f"fcn_resnet{depth}"), checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, images=images).spec
    require_equal(output, reference_of(net), images[:2], SIZE, ODD)
    assert (spec.name, spec.stride) == (f"fcn_resnet{depth}", 8 if depth >= 50 else 32)
