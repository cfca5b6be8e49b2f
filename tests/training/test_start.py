from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.training.start import Start, mean_of_checkpoints


def checkpoint(
    path: Path,
    seed: int,
    *,
    encoder: str = "mobilenet_v2",
    decoder: str = "fcn16s",
    classes: tuple[str, ...] = ("ground", "crate"),
    trained_on: str = "yard train",
    color_order: str = "rgb",
) -> Path:
    torch.manual_seed(seed)
    net = FCN(encoder, (decoder,), len(classes))
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape))
        else:
            tensor.fill_(10 * seed)
    spec = ModelSpec.model_validate(
        {
            "name": "yard",
            "encoder": encoder,
            "decoder": decoder,
            "stride": DECODER_STRIDES[decoder],
            "classes": classes,
            "palette": [(number, 0, 0) for number in range(len(classes))],
            "size": (64, 96),
            "normalization": {"color_order": color_order},
            "provenance": {"trained_on": [trained_on, "rendered street scenes"], "recipe": [f"seed {seed}", "same"]},
        }
    )
    save_checkpoint(path, net, spec)
    return path


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("several")
    return [checkpoint(folder / f"{seed}.safetensors", seed, trained_on=f"yard {seed % 2}") for seed in (1, 2, 3)]


def test_the_mean_of_every_weight_and_statistic(several: list[Path]) -> None:
    weights, spec = mean_of_checkpoints(several)
    assert spec.decoder == "fcn16s"
    each = [mean_of_checkpoints([path])[0] for path in several]
    assert weights.keys() == FCN("mobilenet_v2", ("fcn16s",), 2).state_dict().keys()
    for key, value in weights.items():
        assert value.dtype == each[0][key].dtype
        expected = np.mean([one[key].numpy().astype(np.float64) for one in each], axis=0)
        np.testing.assert_array_equal(value.numpy(), expected.astype(value.numpy().dtype), err_msg=key)
    reverse = mean_of_checkpoints(several[::-1])[0]
    assert all(torch.equal(value, reverse[key]) for key, value in weights.items())


def test_a_network_begins_with_the_mean(several: list[Path]) -> None:
    net, notes = FCN("mobilenet_v2", ("fcn8s",), 2), list[str]()
    Start.of(several).fill(net, notes.append)
    mean = mean_of_checkpoints(several)[0]
    state = net.state_dict()
    assert torch.equal(state["encoder.features.0.0.weight"], mean["encoder.features.0.0.weight"])
    assert torch.equal(state["decoders.fcn8s.score16.bias"], mean["decoders.fcn16s.score16.bias"])
    assert notes == ["mobilenet_v2-fcn16s weights from the mean of 3 checkpoints; 2 tensors are new"]


def test_where_the_weights_come_from(several: list[Path], tmp_path: Path) -> None:
    origin = Start.of(several).provenance()
    assert origin.trained_on == ("yard 1", "rendered street scenes", "yard 0")
    members = (f"{seed} of 3: {line}" for seed in (1, 2, 3) for line in (f"seed {seed}", "same"))
    assert origin.recipe == ("mean of 3 checkpoints", *members)
    assert Start.of(several[0]).provenance().recipe == ("seed 1", "same")
    renamed = tmp_path / "net.ckpt"
    renamed.write_bytes(several[0].read_bytes())
    assert Start.of(renamed).provenance().recipe == ("seed 1", "same"), "whatever the file is called"
    (tmp_path / "imagenet.npz").write_bytes(b"weights")
    for nothing in (Start.of(None), Start.of(()), Start.of(tmp_path / "imagenet.npz")):
        assert (nothing.provenance().trained_on, nothing.provenance().recipe) == ((), ())


def test_from_scratch_keeps_the_first_weights() -> None:
    net = FCN("mobilenet_v2", ("fcn8s",), 2)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    Start().fill(net)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"encoder": "resnet50"}, "their encoders differ"),
        ({"decoder": "fcn8s"}, "their decoders differ"),
        ({"classes": ("ground", "person")}, "their classes differ"),
        ({"color_order": "bgr"}, "their normalizations differ"),
    ],
)
def test_different_networks_have_no_mean(several: list[Path], tmp_path: Path, other: dict[str, str], what: str) -> None:
    path = checkpoint(tmp_path / "other.safetensors", 4, **other)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=what) as caught:
        Start.of([several[0], path]).fill(FCN("mobilenet_v2", ("fcn16s",), 2))
    assert caught.value.message.startswith(f"{path} and {several[0]} have no mean")


def test_weights_of_an_encoder_have_no_mean_with_a_checkpoint(several: list[Path], tmp_path: Path) -> None:
    state = FCN("mobilenet_v2", ("fcn8s",), 2).encoder.state_dict()
    np.savez(tmp_path / "imagenet.npz", **{key: value.numpy() for key, value in state.items()})
    for files in ([several[0], tmp_path / "imagenet.npz"], [tmp_path / "imagenet.npz", several[0]]):
        with pytest.raises(CheckpointError, match=r"imagenet\.npz is no checkpoint that fcn-edge train wrote"):
            Start.of(files).fill(FCN("mobilenet_v2", ("fcn8s",), 2))


def test_a_checkpoint_of_another_encoder_or_other_classes(several: list[Path]) -> None:
    for net, why in (
        (FCN("vgg16", ("fcn8s",), 2), r"score32\.weight is \(2, .*; \(2, 512, 1, 1\) was expected"),
        (FCN("mobilenet_v2", ("fcn8s",), 3), r"score32\.weight is \(2, .*; \(3, .* was expected"),
    ):
        with pytest.raises(UsageError, match=why):
            Start.of(several[0]).fill(net)
