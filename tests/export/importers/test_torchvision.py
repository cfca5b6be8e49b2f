from __future__ import annotations

import argparse
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.weights import Weights, weights_of
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.torchvision import FAMILY
from fcn_edge.export.onnx import onnx_from_checkpoint

from .authors_code import torchvision_segmentation
from .described import Described, Image, Reference, imagenet, reference_of, require_equal
from .torchvision_networks import BLOCKS, torchvision_fcn

SIZE, ODD = (96, 160), (71, 117)


def training_checkpoint(state: dict[str, torch.Tensor]) -> dict[str, object]:
    """What ``references/segmentation/train.py`` saves."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.02, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=10, power=0.9)
    return {
        "model": state,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
        "epoch": 29,
        "args": argparse.Namespace(dataset="coco", model="fcn_resnet50", lr=0.02, output_dir=Path("runs")),
    }


def test_training_checkpoint_gives_the_networks_own_scores_and_masks(images_of_size, tmp_path: Path) -> None:
    images = images_of_size(SIZE)
    net = torchvision_fcn(images)
    checkpoint, output = tmp_path / "model_29.pth", tmp_path / "net.onnx"
    torch.save(training_checkpoint(net.state), checkpoint)
    result = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images)
    require_equal(output, reference_of(net), images[:2], SIZE, ODD)
    spec = result.spec
    assert (spec.family, spec.name, spec.stride) == ("torchvision", "fcn_resnet20", 8)
    assert spec.classes == LABEL_SETS["voc"].classes
    assert spec.grid_size(ODD) == (9, 15)


@pytest.fixture(scope="module")
def described(images_of_size) -> Described:
    return torchvision_fcn(images_of_size(SIZE))


@pytest.fixture
def weights(described: Described, tmp_path: Path):
    def saved(**changes: torch.Tensor | None) -> Weights:
        state = {name: value for name, value in {**described.state, **changes}.items() if value is not None}
        torch.save(state, tmp_path / "net.pth")
        return weights_of(tmp_path / "net.pth")

    return saved


def test_half_precision_and_missing_counters(described, images_of_size, tmp_path: Path) -> None:
    state = {name: value.half() for name, value in described.state.items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "half.pth")
    network = FAMILY.network(weights_of(tmp_path / "half.pth"), ImportOptions())
    for image in images_of_size(SIZE):
        difference = network.scores(image) - described.scores_of([image])[0].numpy()
        assert abs(difference).max() < 0.05


@pytest.mark.parametrize("arch", ["fcn_resnet20", "resnet20", "resnet20-fcn_head", None])
def test_size_and_expected_architecture(weights, arch) -> None:
    network = FAMILY.network(weights(), ImportOptions(arch))
    assert network.spec.size == (520, 928)
    assert FAMILY.network(weights(), ImportOptions(arch, size=(90, 151))).spec.size == (90, 151)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"arch": "fcn_resnet50"}, "is fcn_resnet20, not fcn_resnet50"), ({"decoder": "fcn8s"}, "is fcn_head, not fcn8s")],
)
def test_other_architectures_are_refused(weights, options, message) -> None:
    with pytest.raises(UsageError, match=message):
        FAMILY.network(weights(), ImportOptions(**options))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone.layer3.1.bn2.bias": None}, "it lacks backbone.layer3.1.bn2.bias"),
        ({"backbone.layer3.1.se.weight": torch.ones(2)}, "it also holds backbone.layer3.1.se.weight"),
        ({"backbone.layer3.1.conv2.weight": torch.ones(32, 1, 3, 3)}, r"is \(32, 1, 3, 3\), and \(32, 32, 3, 3\)"),
        ({"backbone.conv1.weight": torch.ones(8)}, "no weight of a convolution named backbone.conv1.weight"),
        ({"backbone.conv1.weight": torch.ones(1).expand(1 << 40, 1, 1, 1)}, "of a size that none has"),
        ({"backbone.conv1.weight": torch.ones(1).expand(1 << 14, 3, 7, 7)}, "is .* was expected"),
        (
            {"classifier.4.weight": torch.ones(300, 64, 1, 1)},
            "scores 300 classes; 2 to 255 were expected. A mask holds",
        ),
    ],
    ids=["missing", "extra", "shape", "vector", "huge", "large", "classes"],
)
def test_what_does_not_fit_is_refused_before_it_takes_memory(weights, changes, message) -> None:
    with pytest.raises(CheckpointError, match=message):
        FAMILY.network(weights(**changes), ImportOptions())


def test_siblings_have_another_signature() -> None:
    deeplab = {"backbone.layer4.1.conv2.weight", "classifier.0.convs.0.0.weight", "classifier.1.weight"}
    deeplab |= {"classifier.2.running_mean", "classifier.4.weight", "classifier.4.bias"}
    assert not FAMILY.signature <= deeplab
    assert not FAMILY.signature <= {
        "backbone.0.0.weight",
        "classifier.cbr.0.weight",
        "classifier.low_classifier.weight",
    }


@pytest.mark.slow
@pytest.mark.parametrize("depth", [50, 101])
def test_torchvisions_own_code_gives_the_same(images_of_size, tmp_path: Path, depth: int) -> None:
    images = images_of_size(SIZE)
    model = getattr(torchvision_segmentation(), f"fcn_resnet{depth}")(
        weights=None, weights_backbone=None, aux_loss=True
    ).eval()
    model.load_state_dict(torchvision_fcn(images, blocks=BLOCKS[depth], width=64).state)
    checkpoint, output = tmp_path / f"fcn_resnet{depth}.pth", tmp_path / "net.onnx"
    torch.save(model.state_dict(), checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images).spec

    @torch.no_grad()
    def scores(image: Image) -> torch.Tensor:
        return model.classifier(model.backbone(normalized(image))["out"])[0]

    @torch.no_grad()
    def full_scores(image: Image) -> torch.Tensor:
        return model(normalized(image))["out"][0]

    require_equal(output, Reference(scores, full_scores), images[:2], SIZE, ODD)
    assert (spec.name, spec.stride) == (f"fcn_resnet{depth}", 8)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 34])
def test_undilated_networks_at_full_width(images_of_size, tmp_path: Path, depth: int) -> None:
    images = images_of_size(SIZE)
    net = torchvision_fcn(images, blocks=BLOCKS[depth], bottleneck=False, width=64)
    checkpoint, output = tmp_path / "net.pth", tmp_path / "net.onnx"
    torch.save(net.state, checkpoint)
    spec = onnx_from_checkpoint(checkpoint, output, options=ImportOptions(size=SIZE), images=images).spec
    require_equal(output, reference_of(net), images[:2], SIZE, ODD)
    assert (spec.name, spec.stride) == (f"fcn_resnet{depth}", 32)


def normalized(image: Image) -> torch.Tensor:
    """What torchvision's preset makes of a ``(H, W, 3)`` uint8 BGR image of the right size."""
    return imagenet(torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None] / 255)
