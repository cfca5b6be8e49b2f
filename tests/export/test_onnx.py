from __future__ import annotations

from pathlib import Path

import onnx
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch

from fcn_edge.artifacts.label_sets import LabelSet, generated_palette
from fcn_edge.artifacts.onnx_header import model_digest, spec_of_onnx
from fcn_edge.artifacts.spec import DECODER_STRIDES, Resize
from fcn_edge.errors import CheckpointError, GuardError, UsageError
from fcn_edge.export import onnx as export_module
from fcn_edge.export import torch_network
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.onnx import onnx_from_checkpoint, onnx_from_network
from fcn_edge.export.rewrite import add_labels_head, set_spec
from fcn_edge.export.torch_network import own_network
from fcn_edge.io.files import sha256_of
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.encoders import ENCODERS
from fcn_edge.nets.fcn import FCN

from ..exported_networks import CLASSES, Exported, spec_of


@pytest.fixture
def traced(small: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of ``small`` take the graph that is there instead of tracing it again."""

    def again(network: TrainedNetwork) -> onnx.ModelProto:
        model = onnx.load_model(small.path)
        if network.spec.head == "labels":
            add_labels_head(model, network.spec)
        set_spec(model, network.spec)
        return model

    monkeypatch.setattr(export_module, "onnx_from_network", again)


def test_the_same_network_gives_the_same_bytes(
    three_decoders: FCN, small: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    again = onnx_from_network(own_network(three_decoders, small.spec))
    assert again.SerializeToString() == small.path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODER_STRIDES)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_exporters_own_proof_of_open_sizes_gives_the_same_bytes(encoder, decoder, monkeypatch) -> None:
    """Nets are traced at one size; with symbolic sizes the exporter itself shows that every multiple of 32 works."""
    net, spec = FCN(encoder, (decoder,), CLASSES).eval(), spec_of(encoder, decoder)
    at_one_size = onnx_from_network(own_network(net, spec))
    traced = torch_network._traced
    height, width = (32 * torch.export.Dim(side, min=1, max=512) for side in ("h", "w"))
    monkeypatch.setattr(torch_network, "_traced", lambda net: traced(net, {"image": {0: height, 1: width}}))
    assert onnx_from_network(own_network(net, spec)).SerializeToString() == at_one_size.SerializeToString()


def test_nothing_of_this_machine_is_in_the_file(small: Exported) -> None:
    content = small.path.read_bytes()
    for trace in (str(Path.home()), str(Path(export_module.__file__).parents[2]), "site-packages", "torch.nn", ".py"):
        assert trace.encode() not in content
    model = onnx.load_model(small.path)
    assert (model.producer_name, model.ir_version) == ("fcn_edge", 9)
    assert [entry.key for entry in model.metadata_props] == ["fcn_edge.spec"]


def test_file_says_what_it_is(small_checkpoint: Path, small: Exported, traced: None, tmp_path: Path) -> None:
    output = tmp_path / "net.onnx"
    told: list[str] = []
    result = onnx_from_checkpoint(
        small_checkpoint, output, options=ImportOptions(size=(64, 128)), name="mine", tell=told.append
    )
    spec = spec_of_onnx(output)
    assert spec == result.spec
    assert (spec.name, spec.size, spec.head, spec.arch) == ("mine", (64, 128), "scores", "mobilenet_v2-fcn8s")
    assert spec.classes == small.spec.classes
    assert spec.provenance.checkpoint_sha256 == sha256_of(small_checkpoint)
    assert spec.provenance.tools["torch"] == torch.__version__
    assert spec.provenance.tools["onnx"] == onnx.__version__
    assert result.digest == model_digest(output) == model_digest(small.path)
    assert result.parity.images == 8
    assert result.parity.label_agreement >= 0.999
    assert len(result.parity.classes) >= 5
    assert len(told) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_labels_head_and_fp16_weights(small_checkpoint: Path, traced: None, images_of_size, tmp_path: Path) -> None:
    images = images_of_size((90, 150))
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    onnx_from_checkpoint(small_checkpoint, full, head="labels", images=images)
    result = onnx_from_checkpoint(small_checkpoint, half, head="labels", weights="fp16", images=images)
    assert spec_of_onnx(half).head == "labels"
    assert onnx.load_model(half).graph.output[0].name == "labels"
    assert half.stat().st_size < 0.56 * full.stat().st_size
    assert 1e-5 < result.parity.max_abs_diff < 0.05


def test_classes_and_resize_can_be_replaced(small_checkpoint: Path, traced: None, images_of_size, tmp_path) -> None:
    labels = LabelSet("mine", tuple("abcdefg"), generated_palette(CLASSES), 200)
    resize = Resize(policy="roi", roi=(0.5, 0, 1, 1))
    output = tmp_path / "net.onnx"
    images = images_of_size((90, 150))
    onnx_from_checkpoint(small_checkpoint, output, options=ImportOptions(labels=labels), resize=resize, images=images)
    spec = spec_of_onnx(output)
    assert spec.classes == tuple("abcdefg")
    assert spec.palette == generated_palette(CLASSES)
    assert spec.void == 200
    assert spec.resize == resize


@pytest.mark.parametrize("arch", ["mobilenet_v2-fcn8s", "mobilenet_v2", "fcn8s"])
def test_expected_architecture_is_accepted(
    small_checkpoint: Path, traced: None, images_of_size, tmp_path, arch
) -> None:
    images = images_of_size((90, 150))[:1]
    onnx_from_checkpoint(small_checkpoint, tmp_path / "net.onnx", options=ImportOptions(arch, "fcn8s"), images=images)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arch": "vgg16-fcn8s"}, "is mobilenet_v2-fcn8s, not vgg16-fcn8s"),
        ({"decoder": "fcn16s"}, "is mobilenet_v2-fcn8s, not fcn16s"),
        ({"size": (100, 160)}, "not a multiple of 32"),
        ({"labels": LabelSet("pair", ("a", "b"), ((0, 0, 0), (1, 1, 1)), 255)}, "pair has 2 classes.* has 7"),
    ],
    ids=["arch", "decoder", "size", "labels"],
)
def test_arguments_that_contradict_the_checkpoint_are_refused(small_checkpoint, tmp_path, wrong, message) -> None:
    with pytest.raises(UsageError, match=message):
        onnx_from_checkpoint(small_checkpoint, tmp_path / "net.onnx", options=ImportOptions(**wrong))
    assert not list(tmp_path.iterdir())


def test_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "directory.onnx").mkdir()
    for output, message in [
        (tmp_path / "net.engine", "does not end in .onnx"),
        (tmp_path / "directory.onnx", "is a directory"),
        (tmp_path / "missing" / "net.onnx", "there is no directory"),
    ]:
        with pytest.raises(UsageError, match=message):
            onnx_from_checkpoint(tmp_path / "there is no checkpoint", output)


def test_disagreement_keeps_the_older_file(
    small_checkpoint: Path, small: Exported, traced: None, images_of_size, tmp_path, monkeypatch
) -> None:
    output = tmp_path / "net.onnx"
    output.write_bytes(b"an older, good file")
    original = export_module.onnx_from_network

    def damaged(network: TrainedNetwork) -> onnx.ModelProto:
        model = original(network)
        bias = next(value for value in model.graph.initializer if value.name == "decoder.score8.bias")
        values = onnx.numpy_helper.to_array(bias).copy()
        values[3] += 0.5
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        return model

    monkeypatch.setattr(export_module, "onnx_from_network", damaged)
    with pytest.raises(GuardError, match=r"agree on \d\d\.\d+% of the pixels of 3 images.*99\.9% was expected"):
        onnx_from_checkpoint(small_checkpoint, output, images=images_of_size((90, 150)))
    assert output.read_bytes() == b"an older, good file"
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_network_that_gives_nan_is_refused(small: Exported, traced: None, images_of_size, tmp_path: Path) -> None:
    checkpoint = tmp_path / "nan.safetensors"
    net = FCN("mobilenet_v2", ("fcn8s",), CLASSES)
    net.load_state_dict(small.net.state_dict())
    with torch.no_grad():
        net.decoders["fcn8s"].score16.bias[2] = torch.nan
    save_checkpoint(checkpoint, net, small.spec)
    with pytest.raises(CheckpointError, match="gives NaN or infinity"):
        onnx_from_checkpoint(checkpoint, tmp_path / "net.onnx", images=images_of_size((90, 150)))
    assert [path.name for path in tmp_path.iterdir()] == ["nan.safetensors"]


def test_spec_of_another_network_is_refused(three_decoders: FCN) -> None:
    with pytest.raises(UsageError, match="is mobilenet_v2 with 7 classes; the spec says vgg16 with 7"):
        own_network(three_decoders, spec_of("vgg16", "fcn8s"))
    two = spec_of("mobilenet_v2", "fcn8s", classes=("a", "b"), palette=((0, 0, 0), (1, 1, 1)))
    with pytest.raises(UsageError, match="with 7 classes; the spec says mobilenet_v2 with 2"):
        own_network(three_decoders, two)
    with pytest.raises(UsageError, match="has no decoder 'fcn32s'"):
        own_network(three_decoders.single("fcn8s"), spec_of("mobilenet_v2", "fcn32s"))
