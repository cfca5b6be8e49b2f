"""Which network is in a weights file: told by content, whatever wraps it, or a sentence that helps."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.registry import trained_network
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.fcn import FCN

from ...exported_networks import CLASSES, spec_of
from .described import Described
from .published_vgg_fcn import random_published
from .torchvision_networks import torchvision_fcn

SIZE = (64, 96)
PLAIN = ImportOptions(size=SIZE)
OWN = spec_of("mobilenet_v2", "fcn32s")


@pytest.fixture(scope="module")
def torchvision(images_of_size) -> Described:
    return torchvision_fcn(images_of_size(SIZE))


class Tracker:
    """Something with a method that a checkpoint may hold."""

    def note(self) -> None:
        raise AssertionError


def wrapped_states(state: dict[str, torch.Tensor]) -> dict[str, object]:
    def prefixed(prefix: str) -> dict[str, torch.Tensor]:
        return OrderedDict((prefix + name, value) for name, value in state.items())

    optimizer = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return {
        "state_dict": {"state_dict": state, "optimizer": optimizer},
        "DataParallel": {"model": prefixed("module."), "epoch": 3},
        "Lightning": {"state_dict": prefixed("model."), "hyper_parameters": {"lr": 0.1}, "loops": {}},
        "compiled": {"net": prefixed("_orig_mod.")},
        "average": {"model_ema": {"n_averaged": torch.tensor(3), **prefixed("module.")}},
        "loss beside": {**state, "loss.weight": torch.ones(21)},
        "bound method": {"model": state, "hook": Tracker().note},
        "another name": {"state_dict": {**prefixed("fcn."), "criterion.weight": torch.ones(21)}},
        "half": {name: value.half() if value.is_floating_point() else value for name, value in state.items()},
    }


@pytest.mark.parametrize("wrapper", sorted(wrapped_states({})))
def test_wrappers_do_not_hide_a_network(torchvision: Described, wrapper: str, tmp_path: Path) -> None:
    plain, path = tmp_path / "plain.pth", tmp_path / "wrapped.ckpt"
    torch.save(torchvision.state, plain)
    torch.save(wrapped_states(torchvision.state)[wrapper], path)
    expected, found = trained_network(plain, PLAIN), trained_network(path, PLAIN)
    assert found.spec == expected.spec
    assert found.spec.family == "torchvision"
    image = torch.randint(0, 256, (*SIZE, 3), dtype=torch.uint8).numpy()
    scores = expected.scores(image)
    difference = abs(found.scores(image) - scores).max()
    assert difference <= (1e-2 * (scores.max() - scores.min()) if wrapper == "half" else 0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("names", [("student", "teacher"), ("model", "model_ema"), ("model.", "ema_model.module.")])
def test_of_several_networks_one_is_taken_and_the_others_are_told(
    torchvision: Described, names: tuple[str, str], reverse: bool, tmp_path: Path
) -> None:
    states: list[dict[str, torch.Tensor]] = [torchvision.state, {key: 2 * v for key, v in torchvision.state.items()}]
    pairs = list(zip(names, states, strict=True))[:: -1 if reverse else 1]
    value = {name + key: v for name, state in pairs for key, v in state.items()} if "." in names[0] else dict(pairs)
    torch.save(value, tmp_path / "several.ckpt")
    torch.save(torchvision.state, tmp_path / "alone.ckpt")
    found, alone = (trained_network(tmp_path / f"{name}.ckpt", PLAIN) for name in ("several", "alone"))
    image = torch.randint(0, 256, (*SIZE, 3), dtype=torch.uint8).numpy()
    assert (found.scores(image) == alone.scores(image)).all()
    other = names[1].removesuffix(".module.")
    assert found.notes == (
        *alone.notes,
        f"It also holds {other}, of the same layers, which was not taken: save it alone to take it.",
    )


def test_safetensors_of_others(torchvision: Described, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({f"module.{name}": value.contiguous() for name, value in torchvision.state.items()}, tmp_path / "a")
    assert trained_network(tmp_path / "a", PLAIN).spec.family == "torchvision"


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['PAYLOAD_FILE']}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_checkpoint_is_refused_and_does_nothing(
    torchvision: Described, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made by the payload"
    monkeypatch.setenv("PAYLOAD_FILE", f"'{made}'")
    path = tmp_path / "model.pth"
    torch.save({"model": torchvision.state, "callback": Payload()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"calls posix\.system when it is opened the usual way") as refused:
        trained_network(path, PLAIN)
    assert "torch.load" in refused.value.fix
    assert not made.exists()
    pickle.loads(pickle.dumps(Payload()))  # it works where pickles are trusted
    assert made.exists()


def test_the_nearest_family_is_named(images_of_size, tmp_path: Path) -> None:
    net = random_published("fcn8s", images_of_size(SIZE))
    state = {name: value for name, value in net.state_dict().items() if not name.startswith(("fc7", "score_fr"))}
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"nearest is an FCN on VGG-16 of wkentaro.* lacks fc7\.weight, score_fr"):
        trained_network(tmp_path / "net.pth", ImportOptions())
    torch.save({"a\nb": torch.zeros(2), "c": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"2 tensors of a network that is not known, such as a\\nb, c\."):
        trained_network(tmp_path / "other.pth", ImportOptions())


def test_known_networks_that_are_not_imported_are_named(tmp_path: Path) -> None:
    keys = {"classifier.0.convs.0.0.weight": (8, 16, 1, 1), "classifier.0.project.0.weight": (8, 40, 1, 1)}
    torch.save({name: torch.zeros(shape) for name, shape in keys.items()}, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="DeepLab") as refused:
        trained_network(tmp_path / "net.pth", ImportOptions())
    assert "torch.onnx.export" in refused.value.fix
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(CheckpointError, match="Keras") as refused:
        trained_network(tmp_path / "net.h5", ImportOptions())
    assert "tf2onnx" in refused.value.fix


def test_files_that_are_nothing_get_a_sentence(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "text": b"hello", "zip": b"PK\x03\x04" + bytes(50)}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="cannot be read as weights"):
            trained_network(path, ImportOptions())


def test_options_that_do_not_fit_are_refused(torchvision: Described, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "own.safetensors", FCN("mobilenet_v2", ("fcn32s",), CLASSES), OWN)
    for said, fix in {
        ImportOptions(color_order="rgb"): "Leave out --color-order.",
        ImportOptions(arch="vgg16-fcn8s"): "Leave out --arch: the checkpoint says what it is.",
    }.items():
        with pytest.raises(UsageError) as caught:
            trained_network(tmp_path / "own.safetensors", said)
        assert caught.value.fix == fix
    with pytest.raises(UsageError, match="says itself what it was trained with"):
        trained_network(tmp_path / "own.safetensors", ImportOptions(mean=(1, 2, 3)))
    with pytest.raises(UsageError, match="voc has 21 classes; the checkpoint has 7"):
        trained_network(tmp_path / "own.safetensors", ImportOptions(labels=LABEL_SETS["voc"]))
    torch.save(torchvision.state, tmp_path / "net.pth")
    for said, fix in {
        ImportOptions(output_name="scores"): "Leave out --output-name.",
        ImportOptions(arch="fcn_resnet101", size=SIZE): "Leave out --arch: the checkpoint says what it is.",
        ImportOptions(decoder="fcn8s", size=SIZE): "Leave out --decoder: there is no other.",
    }.items():
        with pytest.raises(UsageError) as caught:
            trained_network(tmp_path / "net.pth", said)
        assert caught.value.fix == fix
