from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import ArtifactError, CheckpointError
from fcn_edge.nets import checkpoints
from fcn_edge.nets.checkpoints import load_checkpoint, load_encoder, save_checkpoint
from fcn_edge.nets.encoders import Encoder, encoder
from fcn_edge.nets.fcn import FCN

from .torchvision_layout import CLASSIFIERS, LAYOUTS

CLASSES = ("ground", "crate", "person")


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "name": "yard",
            "encoder": "mobilenet_v2",
            "decoder": "fcn16s",
            "stride": 16,
            "classes": CLASSES,
            "palette": [(1, 2, 3), (4, 5, 6), (7, 8, 9)],
            "size": (64, 96),
        }
    )


@pytest.fixture(scope="module")
def net() -> FCN:
    torch.manual_seed(0)
    net = FCN("mobilenet_v2", ("fcn16s",), len(CLASSES)).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net


@pytest.fixture(scope="module")
def checkpoint(net: FCN, spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "net.safetensors"
    save_checkpoint(path, net, spec)
    return path


def test_checkpoint_round_trip(net: FCN, spec: ModelSpec, checkpoint: Path) -> None:
    loaded, loaded_spec = load_checkpoint(checkpoint)
    assert loaded_spec == spec
    assert not loaded.training
    assert loaded.decoder_names == ("fcn16s",)
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(loaded(image)["fcn16s"], net(image)["fcn16s"])
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_others_may_read_a_checkpoint_as_any_new_file(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert checkpoint.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_every_truncation_is_one_sentence(checkpoint: Path, tmp_path: Path) -> None:
    content = checkpoint.read_bytes()
    path = tmp_path / "cut.safetensors"
    for end in (*range(10), 100, 5_000, 60_000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(CheckpointError, match="a whole safetensors file was expected") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_damaged_headers_never_end_in_another_error(checkpoint: Path, tmp_path: Path) -> None:
    content = checkpoint.read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "damaged.safetensors"
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(content)
        for position in random.integers(0, 40_000, 3):
            damaged[position] = int(random.integers(256))
        path.write_bytes(damaged)
        try:
            load_checkpoint(path)
        except ArtifactError:
            outcomes.add("refused")
        else:
            outcomes.add("loaded")
    assert "refused" in outcomes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("decoders.fcn16s.score16.bias"), "1 tensors are missing.*score16.bias"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "1 tensors are not part of the network.*more"),
        (
            lambda tensors: tensors.update({"decoders.fcn16s.score32.bias": torch.zeros(4)}),
            r"score32.bias is \(4,\), \(3,\) was expected",
        ),
    ],
    ids=["missing", "extra", "shape"],
)
def test_tensors_that_do_not_fit_the_spec(checkpoint: Path, spec: ModelSpec, tmp_path: Path, change, message) -> None:
    tensors = load_file(checkpoint)
    change(tensors)
    path = tmp_path / "other.safetensors"
    save_file(tensors, path, metadata={"fcn_edge.spec": spec.to_json()})
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_files_that_are_no_checkpoints(checkpoint: Path, spec: ModelSpec, tmp_path: Path) -> None:
    plain, strange, unknown = (tmp_path / f"{name}.safetensors" for name in ("plain", "strange", "unknown"))
    save_file({"a": torch.zeros(1)}, plain)
    save_file({"a": torch.zeros(1)}, strange, metadata={"fcn_edge.spec": '{"name": "yard"}'})
    other = spec.replace(encoder="resnet9000")
    save_file({"a": torch.zeros(1)}, unknown, metadata={"fcn_edge.spec": other.to_json()})
    foreign = {
        "family 'torchvision'": spec.replace(family="torchvision"),
        "decoder 'fcn4s'": spec.replace(decoder="fcn4s", stride=4),
        "fcn8s have stride 8 .* says stride 16": spec.replace(decoder="fcn8s"),
        "fcn16s have stride 16 and .* align='corners'": spec.replace(geometry={"align": "corners"}),
    }
    for number, strange_spec in enumerate(foreign.values()):
        path = tmp_path / f"{number}.safetensors"
        save_file({"a": torch.zeros(1)}, path, metadata={"fcn_edge.spec": strange_spec.to_json()})
    pytorch = tmp_path / "net.pth"
    torch.save(load_file(checkpoint), pytorch)
    for path, message in [
        (tmp_path / "missing", "There is no checkpoint"),
        (tmp_path, "There is no checkpoint"),
        (plain, "no fcn_edge spec"),
        (strange, "spec is not valid"),
        (unknown, "encoder 'resnet9000', which this version does not know"),
        (pytorch, "is a PyTorch file"),
        *((tmp_path / f"{number}.safetensors", message) for number, message in enumerate(foreign)),
    ]:
        with pytest.raises(ArtifactError, match=message) as caught:
            load_checkpoint(path)
        assert caught.value.fix


def write_pth(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, path)


def write_legacy_pth(path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, path, _use_new_zipfile_serialization=False)


def write_npz(path: Path, tensors: dict[str, Tensor]) -> None:
    kept = {name: value.numpy() for name, value in tensors.items() if not name.startswith(CLASSIFIERS)}
    np.savez(path, **{name: value for name, value in kept.items() if not name.endswith("num_batches_tracked")})


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    save_file({name: value for name, value in tensors.items() if not name.startswith(CLASSIFIERS)}, path)


WRITERS = {".pth": write_pth, ".pt": write_legacy_pth, ".npz": write_npz, ".safetensors": write_safetensors}


@pytest.mark.parametrize(
    ("name", "suffix"),
    [*((name, ".pth") for name in LAYOUTS), *(("mobilenet_v2", suffix) for suffix in WRITERS if suffix != ".pth")],
)
def test_imagenet_weights_load_unchanged(name: str, suffix: str, imagenet_weights, tmp_path: Path) -> None:
    weights = imagenet_weights(name)
    path = tmp_path / f"weights{suffix}"
    WRITERS[suffix](path, weights)
    net = encoder(name)
    try:
        load_encoder(net, path)
    finally:
        path.unlink()  # pytest keeps what lies in tmp_path
    for key, value in net.state_dict().items():
        if not (suffix == ".npz" and key.endswith("num_batches_tracked")):
            assert torch.equal(value, weights[key]), key


def test_half_precision_weights_load_as_float32(imagenet_weights, tmp_path: Path) -> None:
    weights = {key: value.half() for key, value in imagenet_weights("mobilenet_v2").items() if value.ndim}
    for suffix in (".npz", ".pth"):
        path = tmp_path / f"half{suffix}"
        WRITERS[suffix](path, weights)
        net = encoder("mobilenet_v2")
        load_encoder(net, path)
        assert net.features[0][0].weight.dtype == torch.float32
        assert torch.equal(net.features[0][0].weight, weights["features.0.0.weight"].float())


def test_weights_of_a_training_that_diverged_are_refused(imagenet_weights, tmp_path: Path) -> None:
    weights = dict(imagenet_weights("mobilenet_v2"))
    weights["features.1.conv.1.weight"] = weights["features.1.conv.1.weight"] * float("nan")
    WRITERS[".pth"](tmp_path / "nan.pth", weights)
    with pytest.raises(
        CheckpointError, match=r"NaN or infinity in 1 tensors, the first is features\.1\.conv\.1\.weight"
    ):
        load_encoder(encoder("mobilenet_v2"), tmp_path / "nan.pth")


WRAPPERS = {
    "training script": lambda tensors: {"model": tensors, "args": argparse.Namespace(lr=0.1), "epoch": 3},
    "data parallel": lambda tensors: {"state_dict": {f"module.{key}": value for key, value in tensors.items()}},
    "lightning": lambda tensors: {
        "state_dict": {f"model.{key}": value for key, value in tensors.items()} | {"loss.weight": torch.ones(2)},
        "callbacks": {argparse.Namespace: {"best": torch.ones(1)}},
    },
    "backbone": lambda tensors: {f"backbone.{key}": v.half() for key, v in tensors.items()} | {"head.a": torch.ones(1)},
    "part in parallel": lambda tensors: {key.replace("features.", "features.module."): v for key, v in tensors.items()},
}


@pytest.fixture(scope="module")
def mobilenet() -> Encoder:
    return encoder("mobilenet_v2")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_weights_in_wrappers(wrapper: str, mobilenet: Encoder, imagenet_weights, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    weights = imagenet_weights("mobilenet_v2")
    torch.save(WRAPPERS[wrapper](weights), path)
    torch.nn.init.zeros_(mobilenet.features[0][0].weight)
    load_encoder(mobilenet, path)
    path.unlink()
    for key, value in mobilenet.state_dict().items():
        expected = weights[key].half().float() if wrapper == "backbone" else weights[key]
        assert torch.equal(value, expected.to(value.dtype)), key


def test_an_encoder_saved_whole(mobilenet: Encoder, tmp_path: Path) -> None:
    saved = {key: value.clone() for key, value in mobilenet.state_dict().items()}
    torch.save(torch.nn.DataParallel(mobilenet), tmp_path / "encoder.pt")
    torch.nn.init.zeros_(mobilenet.features[0][0].weight)
    load_encoder(mobilenet, tmp_path / "encoder.pt")
    (tmp_path / "encoder.pt").unlink()
    assert all(torch.equal(value, saved[key]) for key, value in mobilenet.state_dict().items())


def test_further_networks_in_the_file_are_told(mobilenet: Encoder, tmp_path: Path) -> None:
    path, told = tmp_path / "encoder.pt", []
    kept = {key: value.clone() for key, value in mobilenet.state_dict().items()}
    average = {f"module.{key}": value + 1 for key, value in kept.items()}
    for value in ({"model": kept, "model_ema": average}, {"teacher": average, "student": kept}):
        torch.save(value, path)
        load_encoder(mobilenet, path, told.append)
        assert all(torch.equal(value, kept[key]) for key, value in mobilenet.state_dict().items())
    assert ["It also holds model_ema, " in told[0], "It also holds teacher, " in told[1]] == [True, True]
    assert len(told) == 2


def test_what_the_file_holds_is_told(mobilenet: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"net": {"module.features.0.0.weight": torch.ones(32, 3, 3, 3), "odd\n": torch.ones(1)}}, path)
    with pytest.raises(CheckpointError) as caught:
        load_encoder(mobilenet, path)
    assert caught.value.message == (
        f"{path} does not hold the weights of MobileNetV2: 259 tensors are missing, the first is "
        "features.0.1.weight; the file holds 2 under net, module.features.0.0.weight to odd\\n."
    )
    assert "torchvision's keys" in caught.value.fix


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2"])
def test_real_imagenet_weights_load(name: str, shared: Path) -> None:
    net = encoder(name)
    load_encoder(net, shared / "weights" / f"{name}_imagenet.npz")
    with np.load(shared / "weights" / f"{name}_imagenet.npz") as arrays:
        for key, value in net.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                assert np.array_equal(value.numpy(), arrays[key].astype(np.float32)), key


@pytest.mark.parametrize(
    ("name", "other"), [("vgg16", "mobilenet_v2"), ("resnet50", "vgg16"), ("mobilenet_v2", "resnet50")]
)
def test_weights_of_another_network_are_refused(name: str, other: str, imagenet_weights, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    write_npz(path, imagenet_weights(other))
    with pytest.raises(CheckpointError, match=r"does not hold the weights of \w+: \d+ tensors are missing"):
        load_encoder(encoder(name), path)
    path.unlink()


def test_a_refused_file_leaves_the_encoder_as_it_was(imagenet_weights, tmp_path: Path) -> None:
    weights = imagenet_weights("mobilenet_v2")
    weights["features.18.0.weight"] = torch.zeros(1280, 321, 1, 1)
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    net = encoder("mobilenet_v2")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"is \(1280, 321, 1, 1\), \(1280, 320, 1, 1\) was expected"):
        load_encoder(net, path)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_checkpoint_that_is_cut_off_while_it_is_read(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``cp`` over it does; of a mapped file, the process would end."""
    path = tmp_path / "net.safetensors"
    path.write_bytes(checkpoint.read_bytes())
    compare = checkpoints._misfit

    def compare_and_cut(*tensors: Any) -> str:
        os.truncate(path, 60_000)
        return compare(*tensors)

    monkeypatch.setattr(checkpoints, "_misfit", compare_and_cut)
    with pytest.raises(CheckpointError, match="was cut off while it was read"):
        load_checkpoint(path)
