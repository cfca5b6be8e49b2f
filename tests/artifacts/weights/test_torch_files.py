from __future__ import annotations

import argparse
import enum
import functools
import pickle
import tracemalloc
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch
import torch._utils
from safetensors.torch import save_file
from torch import Tensor, nn

from fcn_edge.artifacts.weights import Weights, not_taken, variants, weights_of
from fcn_edge.artifacts.weights.contents import AVERAGES
from fcn_edge.errors import CheckpointError

from .files import EVIL, STORAGES, named, save, tensor_pickle, write_legacy, write_zip

FORMATS = {"zip": True, "legacy": False}


@pytest.fixture(params=FORMATS)
def saved(request, tmp_path: Path):
    def save(value: object) -> Weights:
        path = tmp_path / "checkpoint.pth.tar"
        torch.save(value, path, _use_new_zipfile_serialization=FORMATS[request.param])
        weights = weights_of(path)
        assert weights.kind == request.param
        return weights

    return save


def check(weights: Weights, expected: dict[str, Tensor]) -> None:
    """The tensors are those that torch itself reads out of the file."""
    loaded = torch.load(weights.path, weights_only=False)
    for part in weights.wrapper.split(".") if weights.wrapper not in ("", "whole module") else ():
        loaded = loaded[part]
    loaded = loaded.state_dict() if isinstance(loaded, nn.Module) else loaded
    assert list(weights.tensors) == list(expected)
    for key, value in expected.items():
        stored, array = weights.tensors[key], weights.tensors[key].array()
        value = value.detach()
        assert torch.equal(loaded[key], value)
        assert stored.shape == array.shape == tuple(value.shape)
        assert stored.dtype == str(value.dtype).removeprefix("torch.")
        value = value.float() if value.is_floating_point() else value
        assert array.dtype == value.numpy().dtype
        assert np.array_equal(array, value.numpy()), key
        assert array.flags.c_contiguous
        assert array.flags.writeable


class Net(nn.Module):
    """Its class is nowhere but here: no import could find it."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.score = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Linear(4, 2, bias=False)})
        self.register_buffer("palette", torch.arange(6))
        self.register_buffer("scratch", torch.ones(2), persistent=False)
        self.register_parameter("absent", None)
        self.norm = functools.partial(nn.BatchNorm2d, eps=1e-3)


class ConfigDict(dict):
    """As mmengine's: a dictionary of another class."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Callback:
    class Mode(enum.Enum):
        MIN = "min"

    def __init__(self) -> None:
        self.monitor = "val/miou"


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self) -> None:
        self.left, self.right = 1, "two"


class Marked(Tensor):
    """A subclass of tensors."""


def state_dict() -> dict[str, Tensor]:
    return {key: torch.randn_like(v) if v.is_floating_point() else v for key, v in Net().state_dict().items()}


@pytest.mark.parametrize("kind", FORMATS)
def test_files_made_by_hand_are_torchs_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    """What the tests that run without torch are made on."""
    random = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {dtype: (4 * random.random((2, 3))).astype(dtype) for dtype in STORAGES}
    arrays |= {"scalar": np.array(7), "turned": random.random((3, 4)).T}
    save(tmp_path / "net.pth", {"state_dict": arrays, "epoch": 3}, kind)
    loaded = torch.load(tmp_path / "net.pth", weights_only=True)
    assert loaded["epoch"] == 3
    assert list(loaded["state_dict"]) == list(arrays)
    for key, array in arrays.items():
        tensor = loaded["state_dict"][key].numpy()
        assert (tensor.dtype, tensor.shape) == (array.dtype, array.shape)
        assert tensor.tobytes() == array.tobytes()


def test_safetensors(tmp_path: Path) -> None:
    types = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
    tensors = {str(dtype): (torch.arange(-3, 3) / 2).reshape(2, 3).abs().to(dtype) for dtype in types}
    path = tmp_path / "net.safetensors"
    save_file(tensors, path, metadata={"format": "pt", "note": "ours"})
    weights = weights_of(path)
    assert (weights.kind, weights.wrapper, weights.globals) == ("safetensors", "", frozenset())
    assert weights.fields == {"format": "pt", "note": "ours"}
    for key, tensor in tensors.items():
        expected = tensor.float() if tensor.is_floating_point() else tensor
        array = weights.tensors[key].array()
        assert array.dtype == expected.numpy().dtype
        assert np.array_equal(array, expected.numpy())


@pytest.mark.parametrize(
    ("module", "name"), [("torch._utils", "_rebuild_tensor_v2"), ("torch", "FloatStorage"), ("torch", "float32")]
)
def test_no_state_changes_torch(module: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    for write in (write_zip, write_legacy):
        write(path, b"\x80\x02" + named(module, name) + EVIL + b".")
        with pytest.raises(CheckpointError, match=r"cannot be read as weights: its pickle (is damaged|changes)"):
            weights_of(path)
    for real in (torch._utils._rebuild_tensor_v2, torch.FloatStorage, torch.float32):
        assert not hasattr(real, "evil")


def test_every_type_is_read(saved) -> None:
    numbers = torch.arange(-6, 6).reshape(3, 4)
    floats = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    integers = (torch.int64, torch.int32, torch.int16, torch.int8, torch.bool)
    tensors = {str(dtype): (numbers / 3).to(dtype) for dtype in floats} | {str(d): numbers.to(d) for d in integers}
    tensors["bytes"] = numbers.abs().to(torch.uint8)
    tensors |= {"scalar": torch.tensor(7), "empty": torch.zeros(0, 3), "parameter": nn.Parameter(torch.rand(2))}
    check(saved(tensors), tensors)


def test_types_that_came_with_the_new_format(tmp_path: Path) -> None:
    tensors = {str(dtype): torch.arange(6).to(dtype)[1:] for dtype in (torch.uint16, torch.uint32, torch.uint64)}
    torch.save(tensors, tmp_path / "unsigned.pth")
    check(weights_of(tmp_path / "unsigned.pth"), tensors)


def test_views_of_one_storage(saved) -> None:
    base = torch.randn(10, 4, 3)
    tensors = {
        "base": base,
        "rows": base[2:5],
        "column": base[:, 1],
        "permuted": base.permute(2, 0, 1),
        "steps": base[::3, ::2],
        "expanded": torch.rand(1, 3).expand(4, 3),
        "channels_last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }
    check(saved(tensors), tensors)


def test_tensors_with_more_to_them(saved) -> None:
    named = nn.Parameter(torch.rand(3))
    named.origin = "here"
    marked = torch.rand(2, 2).as_subclass(Marked)
    weights = saved({"named": named, "marked": marked})
    assert np.array_equal(weights.tensors["named"].array(), named.detach().numpy())
    assert np.array_equal(weights.tensors["marked"].array(), marked.as_subclass(Tensor).numpy())


@pytest.mark.parametrize(
    ("wrap", "wrapper"),
    [
        (lambda tensors: OrderedDict(tensors), ""),
        (lambda tensors: {"state_dict": tensors, "epoch": 3}, "state_dict"),
        (lambda tensors: {"model": {"state_dict": tensors}, "model_ema": {"a": torch.ones(1)}}, "model.state_dict"),
        (lambda tensors: {"model": None, "model_ema": tensors}, "model_ema"),
        (lambda tensors: {"loss": torch.ones(1), "best": torch.ones(1), "net": defaultdict(list, tensors)}, "net"),
        (lambda tensors: {"loss": torch.ones(1), "best": torch.ones(1), "generator": tensors}, "generator"),
        (lambda tensors: {"a": {"few": {"b": torch.ones(1)}, "many": tensors}, "c": {"d": torch.ones(2)}}, "a.many"),
    ],
)
def test_where_the_state_dict_is(saved, wrap, wrapper: str) -> None:
    tensors = state_dict()
    weights = saved(wrap(tensors))
    assert weights.wrapper == wrapper
    assert list(weights.tensors) == list(tensors)
    assert np.array_equal(weights.tensors["score.a.bias"].array(), tensors["score.a.bias"].numpy())


def test_a_list_with_one_network(saved) -> None:
    tensors = network_of(1)
    momenta = {"state": {0: {"exp_avg": torch.ones(2, 3)}}, "param_groups": []}
    for value, wrapper, fields in (
        ([tensors], "0", {}),
        ((3, {"loss": torch.ones(1)}, tensors, momenta, None), "2", {}),
        (({"state_dict": tensors, "epoch": 2}, "notes", [1]), "0.state_dict", {"epoch": 2}),
        ([Net()], "0.whole module", {"class": f"{Net.__module__}.Net"}),
    ):
        weights = saved(value)
        assert (weights.wrapper, weights.fields) == (wrapper, fields)
        assert list(weights.tensors) == list(Net().state_dict() if "module" in wrapper else tensors)
    for value, said in (
        ([tensors, tensors], "it is a list of 2 state_dicts"),
        ([1, [tensors]], "it holds no state_dict"),
    ):
        with pytest.raises(CheckpointError, match=said):
            saved(value)


def network_of(fill: float, **more: Tensor) -> dict[str, Tensor]:
    return {f"{layer}.{kind}": torch.full((2, 3), fill) for layer in "ab" for kind in ("weight", "bias")} | more


def networks_in_one(*names: str) -> dict[str, Tensor]:
    """As Lightning keeps the networks of a module: in one dictionary."""
    return {f"{name}.{key}": value for name in names for key, value in network_of(len(name)).items()}


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("student", "teacher"), "student"),
        (("a_teacher", "student"), "student"),
        (("ema_net", "net_0"), "net_0"),
        (("second", "first"), "first"),
        (("model", "model_ema"), "model"),
        (("state_dict", "ema_state_dict"), "state_dict"),
        (("zero", "model_ema"), "model_ema"),
    ],
)
def test_of_equal_networks_the_names_decide(saved, names: tuple[str, str], taken: str) -> None:
    (other,) = {*names} - {taken}
    for order in (names, names[::-1]):
        # an average counts its steps: it may have a tensor more than the network
        steps = {name: {"n_averaged": torch.ones(1)} if AVERAGES & {*name.split("_")} else {} for name in order}
        weights = saved({name: network_of(len(name), **steps[name]) for name in order})
        assert weights.wrapper == taken
        assert weights.tensors["a.weight"].array()[0, 0] == len(taken)
        assert not_taken(weights, weights) == (
            f"It also holds {other}, of the same layers, which was not taken: save it alone to take it.",
        )


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"model": network_of(1), "model_ema": {f"module.{key}": v for key, v in network_of(2).items()}}, "model_ema"),
        ({"model": {"state_dict": network_of(1)}, "best": {"net": network_of(2)}}, "best.net"),
        ({f"{name}.{key}": v for name in ("model", "ema.module") for key, v in network_of(len(name)).items()}, "ema"),
        (
            {f"{name}.{key}": v for name in ("ema_model", "model") for key, v in network_of(len(name)).items()},
            "ema_model",
        ),
        ({f"{name}.{key}": v for name in ("model", "x.model") for key, v in network_of(len(name)).items()}, "x"),
        # averages without the buffers
        ({"model": network_of(1), "ema": {key: v for key, v in network_of(2).items() if "w" in key}}, "ema"),
        ({"model": network_of(1), **{f"e{i}": network_of(2 + i) for i in range(5)}}, "e0, e1, e2 and 2 more"),
        ({"model": network_of(1), "ema\n": network_of(2)}, "ema\\n"),
        # one network, other shapes, a part of it, and momentum by number
        ({"model": network_of(1), "optimizer": {"state": {0: network_of(2)}}}, ""),
        ({"model": network_of(1), "head": {key: v[:1] for key, v in network_of(2).items()}}, ""),
        ({"model": network_of(1), "part": {"a.weight": torch.ones(2, 3)}}, ""),
        (networks_in_one("model"), ""),
        (dict.fromkeys(("model", "state_dict"), network_of(1)), ""),
        (network_of(1), ""),
    ],
)
def test_further_networks_are_told(saved, value, named: str) -> None:
    weights = saved(value)
    taken = next(variant for variant in variants(weights) if "a.weight" in variant.tensors)
    said = not_taken(taken, weights)
    assert [f"holds {named}, " in note for note in said] == [True] * bool(named)


def test_what_is_not_taken_may_be_damaged(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.pth", tmp_path / "net.pth"
    save(whole, {"model": {"a.weight": np.ones((2, 3))}, "ema": {"a.weight": np.zeros((2, 3))}})
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(path, "w") as copy:
        for entry in archive.infolist():
            if not entry.filename.endswith("data/1"):
                copy.writestr(entry, archive.read(entry))
    assert list(weights_of(whole).elsewhere) == ["ema.a.weight"]
    long = "x" * 2000
    save(path, {"model": {"a.weight": np.ones((2, 3))}, long: {"b": np.zeros(2)}, "ema": {long: np.zeros(2)}})
    assert weights_of(path).elsewhere == {}
    weights = weights_of(path)
    assert (weights.wrapper, weights.elsewhere) == ("model", {})
    assert np.array_equal(weights.tensors["a.weight"].array(), np.ones((2, 3), np.float32))


def test_whole_networks(saved) -> None:
    for net in (Net(), nn.DataParallel(Net())):
        weights = saved(net)
        assert weights.wrapper == "whole module"
        assert f"{Net.__module__}.Net" in weights.globals
        check(weights, net.state_dict())
    assert [list(variant.tensors) for variant in variants(weights)][1:] == [list(Net().state_dict())]
    wrapped = saved({"net": Net().half(), "epoch": 2})
    assert (wrapped.wrapper, wrapped.fields) == ("net", {"epoch": 2})
    assert list(wrapped.tensors) == list(Net().state_dict())
    assert wrapped.tensors["score.a.bias"].array().dtype == np.float32


def test_what_is_beside_the_tensors(saved) -> None:
    net = Net()
    moments = {number: {"step": 3, "exp_avg": torch.ones(9, 9)} for number in range(30)}
    weights = saved(
        {
            "model": net.state_dict(),
            "optimizer": {"state": moments, "param_groups": [{"lr": 0.5, "params": [0, 1]}]},
            "args": argparse.Namespace(lr=0.5, output=Path("runs/a"), device=torch.device("cpu"), on=True, none=None),
            "epoch": np.int64(3),
            "best": np.float32(0.5),
            "history": np.arange(3.0),
            "meta": ConfigDict(classes=("road", "car"), palette=[[1, 2, 3]], nested=ConfigDict(a=1)),
            "callbacks": {Callback: {"mode": Callback.Mode.MIN, "best": torch.ones(1)}},
            "callback": Callback(),
            "milestones": Counter({8: 1}),
            "slots": Slotted(),
            "seen": {1},
            "size": torch.Size([3, 4]),
            "dtype": torch.float16,
            "partial": functools.partial(nn.BatchNorm2d, eps=1),
            "raw": b"bytes",
            7: "no text",
        }
    )
    module = Callback.__module__
    assert weights.fields == {
        "optimizer": {
            "state": {str(number): {"step": 3} for number in range(30)},
            "param_groups": [{"lr": 0.5, "params": [0, 1]}],
        },
        "args": {"lr": 0.5, "output": "runs/a", "device": "cpu", "on": True, "none": None},
        "epoch": 3,
        "best": 0.5,
        "history": [0.0, 1.0, 2.0],
        "meta": {"classes": ["road", "car"], "palette": [[1, 2, 3]], "nested": {"a": 1}},
        "callbacks": {f"{module}.Callback": {"mode": f"{module}.Callback.Mode"}},
        "callback": {"monitor": "val/miou"},
        "milestones": {"8": 1},
        "slots": {"left": 1, "right": "two"},
        "seen": [1],
        "size": [3, 4],
        "dtype": "torch.float16",
        "partial": "functools.partial",
    }
    assert {"argparse.Namespace", f"{module}.ConfigDict", f"{module}.Callback"} <= weights.globals
    assert not any(name.startswith(("torch._utils", "numpy", "collections.O")) for name in weights.globals)
    check(weights, net.state_dict())


def test_arrays_of_numpy_as_weights(saved) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.arange(6, dtype=">i4").reshape(3, 2))}
    weights = saved({"state_dict": arrays})
    for key, expected in arrays.items():
        array = weights.tensors[key].array()
        assert np.array_equal(array, expected)
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_later_protocols_of_pickle(tmp_path: Path) -> None:
    tensors = state_dict()
    for protocol in (3, 4, 5):
        path = tmp_path / f"{protocol}.pth"
        value = {
            "model": tensors,
            "array": np.arange(3),
            "epoch": np.int64(3),
            "seen": {1, 2},
            "frozen": frozenset({3}),
        }
        torch.save(value, path, pickle_protocol=protocol)
        weights = weights_of(path)
        assert weights.fields == {"array": [0, 1, 2], "epoch": 3, "seen": [1, 2], "frozen": [3]}
        check(weights, tensors)


def test_a_field_that_is_called_like_a_tensor(saved) -> None:
    weights = saved({"net": {"scale": torch.ones(1)}, "scale": 3})
    assert (list(weights.tensors), weights.fields) == (["scale"], {"scale": 3})
    beside = saved({"a": torch.ones(1), "b": torch.ones(1), "scale": 3})
    assert (list(beside.tensors), beside.fields, beside.wrapper) == (["a", "b"], {"scale": 3}, "")


class AsPython2:
    """A dictionary as Python 2 pickled it: a list of pairs."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    def __reduce__(self) -> tuple[object, ...]:
        return OrderedDict, ([[key, value] for key, value in self.tensors.items()],)


def test_dictionaries_of_python_2(saved) -> None:
    tensors = state_dict()
    weights = saved(AsPython2(tensors))
    check(weights, tensors)


def test_most_significant_bytes_first(tmp_path: Path) -> None:
    numbers = np.array([1.5, -2.0, 3.25, 0.0])
    path = tmp_path / "big.pth"
    write_zip(path, tensor_pickle(), {"data/0": numbers.astype(">f4").tobytes(), "byteorder": b"big"})
    assert np.array_equal(weights_of(path).tensors["a"].array(), numbers)
    upper = (numbers.astype("<f4").view("<u4") >> 16).astype(">u2").tobytes()
    write_zip(path, tensor_pickle(storage="BFloat16Storage"), {"data/0": upper, "byteorder": b"big"})
    assert np.array_equal(weights_of(path).tensors["a"].array(), numbers)
    write_legacy(path, tensor_pickle(), {"0": numbers.astype("<f4").tobytes()})
    assert np.array_equal(weights_of(path).tensors["a"].array(), numbers)


def test_parts_of_storages_in_the_old_format(tmp_path: Path) -> None:
    numbers = np.arange(4, dtype="<f4")
    body = tensor_pickle(size=(2,)).replace(b"K\x04tQ", b"K\x04X\x01\x00\x00\x00vK\x01K\x03\x87tQ")
    path = tmp_path / "views.pth"
    write_legacy(path, body, {"0": numbers.tobytes()})
    assert weights_of(path).tensors["a"].array().tolist() == [1, 2]
    assert torch.load(path, weights_only=False)["a"].tolist() == [1, 2]


def test_only_what_is_asked_for_is_read(saved) -> None:
    large = torch.ones(1 << 20)
    path = saved({"model": {"large": large, "small": torch.arange(3)}, "optimizer": {"momentum": large * 2}}).path
    tracemalloc.start()
    assert weights_of(path).tensors["small"].array().tolist() == [0, 1, 2]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("dtype", [torch.complex64, torch.float8_e4m3fn])
def test_types_that_numpy_lacks(saved, dtype: torch.dtype) -> None:
    weights = saved({"a": torch.ones(2).to(dtype), "b": torch.ones(2)})
    assert weights.tensors["a"].dtype == str(dtype).removeprefix("torch.")
    with pytest.raises(CheckpointError, match=r"type (complex64|float8_e4m3fn), which cannot be read"):
        weights.tensors["a"].array()
    assert weights.tensors["b"].array().tolist() == [1, 1]


def test_tensors_that_are_not_what_is_stored(saved) -> None:
    with pytest.raises(CheckpointError, match="negated"):
        saved({"a": torch._neg_view(torch.ones(2))})
    expanded = saved({"a": torch.ones(1).expand(1 << 30)})
    with pytest.raises(CheckpointError, match="repeats few numbers"):
        expanded.tensors["a"].array()


@pytest.mark.parametrize("value", [[1, 2], {}, {"epoch": 3}, torch.zeros(3), {"model": {"a": 1}}, nn.ReLU(), None])
def test_what_holds_no_weights(saved, value: object) -> None:
    with pytest.raises(CheckpointError, match="it holds no state_dict: a dictionary of tensors was expected"):
        saved(value)


def test_a_file_that_changes_while_it_is_used(saved) -> None:
    weights = saved({"a": torch.rand(100)})
    weights.path.write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="cut off while it was read"):
        weights.tensors["a"].array()
    weights.path.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        weights.tensors["a"].array()


def test_a_pickle_that_torch_did_not_write(tmp_path: Path) -> None:
    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps({"a": [1.0]}))
    with pytest.raises(CheckpointError, match=r"a pickle that torch\.save did not write"):
        weights_of(path)
