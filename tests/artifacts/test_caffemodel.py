from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.artifacts.caffemodel import caffemodel_weights, is_caffemodel
from fcn_edge.errors import CheckpointError

from ..caffemodel_writer import blob, layer, number, old_layer, part, whole

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((4, 3, 2, 2)).astype(np.float32)
BIAS = RNG.standard_normal(4).astype(np.float32)
DENSE = RNG.standard_normal((5, 16)).astype(np.float32)
NET = part(1, b"net") + layer("data", "Input")


def saved(directory: Path, content: bytes) -> Path:
    path = directory / "net.bin"
    path.write_bytes(content)
    return path


def test_weights_have_names_and_shapes_of_their_layers(tmp_path: Path) -> None:
    content = (
        NET
        + layer("conv1_1", "Convolution", (WEIGHT, BIAS), pad=100)
        + layer("relu1_1", "ReLU")
        + layer("up", "Deconvolution", (WEIGHT.astype(np.float64),))
    )
    path = saved(tmp_path, content)
    assert is_caffemodel(path)
    weights = caffemodel_weights(path)
    assert (weights.kind, weights.path, weights.wrapper) == ("caffemodel", path, "")
    assert {key: each.shape for key, each in weights.tensors.items()} == {
        "conv1_1.weight": (4, 3, 2, 2),
        "conv1_1.bias": (4,),
        "up.weight": (4, 3, 2, 2),
    }
    np.testing.assert_array_equal(weights.tensors["conv1_1.weight"].array(), WEIGHT)
    np.testing.assert_array_equal(weights.tensors["conv1_1.bias"].array(), BIAS)
    assert weights.tensors["up.weight"].dtype == "float64"
    assert weights.tensors["up.weight"].array().dtype == np.float32
    assert weights.fields["layers"] == [
        {"name": "data", "type": "Input", "pad": []},
        {"name": "conv1_1", "type": "Convolution", "pad": [100]},
        {"name": "relu1_1", "type": "ReLU", "pad": []},
        {"name": "up", "type": "Deconvolution", "pad": []},
    ]


def test_files_of_before_2014(tmp_path: Path) -> None:
    content = (
        part(1, b"net")
        + old_layer("conv1_1", "Convolution", (WEIGHT, BIAS), pad=1)
        + old_layer("drop", "Dropout")
        + old_layer("fc6", "InnerProduct", (DENSE, BIAS))
    )
    weights = caffemodel_weights(saved(tmp_path, content))
    np.testing.assert_array_equal(weights.tensors["conv1_1.weight"].array(), WEIGHT)
    np.testing.assert_array_equal(weights.tensors["fc6.weight"].array(), DENSE)
    assert weights.tensors["fc6.bias"].shape == (4,)
    assert [each["type"] for each in weights.fields["layers"]] == ["Convolution", "6", "InnerProduct"]
    assert weights.fields["layers"][0]["pad"] == [1]


def test_numbers_in_pieces_and_further_blobs(tmp_path: Path) -> None:
    halves = part(5, BIAS[:1].tobytes()) + part(5, BIAS[1:].tobytes())
    content = part(1, b"norm") + part(2, b"BatchNorm")
    content += b"".join(part(7, each) for each in (part(7, part(1, number(4))) + halves, blob(BIAS), blob(BIAS)))
    weights = caffemodel_weights(saved(tmp_path, part(100, content)))
    assert list(weights.tensors) == ["norm.weight", "norm.bias", "norm.2"]
    np.testing.assert_array_equal(weights.tensors["norm.weight"].array(), BIAS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04" + bytes(100),
        b"\x80\x02}q\x00.",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        part(2, b"pytorch") + part(7, part(2, b"graph")),  # an ONNX file
        whole(1, 8) + part(2, b"pytorch") + part(7, part(2, b"graph")),
        NET,
        part(100, part(1, b"conv") + part(7, part(7, part(1, number(3))) + part(5, bytes(8)))),
        part(100, part(1, b"conv") + part(7, part(7, part(1, number(1) * 9)) + part(5, bytes(4)))),
        part(100, part(1, b"conv") + part(7, part(7, part(1, number(2))) + part(5, bytes(7)))),
        part(100, part(1, b"conv") + part(7, part(7, part(1, number(1))))),
        part(100, part(1, b"conv") + part(7, part(7, part(1, number(99))) + part(5, bytes(4)) * 99)),
    ],
    ids=range(12),
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = saved(tmp_path, content)
    assert not is_caffemodel(path)
    with pytest.raises(CheckpointError, match=r"no whole \.caffemodel|no weights of Caffe"):
        caffemodel_weights(path)


def test_missing_file_and_two_layers_of_one_name(tmp_path: Path) -> None:
    assert not is_caffemodel(tmp_path / "no")
    with pytest.raises(CheckpointError, match="no weights file"):
        caffemodel_weights(tmp_path / "no")
    path = saved(tmp_path, layer("fc", "InnerProduct", (DENSE,)) * 2)
    with pytest.raises(CheckpointError, match="two layers called fc"):
        caffemodel_weights(path)


def test_names_are_made_printable(tmp_path: Path) -> None:
    weights = caffemodel_weights(saved(tmp_path, layer("\x1b[31m" + "x" * 500, "Convolution", (WEIGHT,))))
    (name,) = weights.tensors
    assert name.isprintable()
    assert len(name) <= 200 + 3 + 7  # the escape is longer than its letter, and ".weight" follows


def test_no_damage_raises_another_error(tmp_path: Path) -> None:
    whole_file = NET + layer("conv1_1", "Convolution", (WEIGHT, BIAS), pad=100) + layer("fc", "InnerProduct", (DENSE,))
    damage = random.Random(0)
    refused = 0
    for _ in range(150):
        content = bytearray(whole_file)
        for _ in range(damage.randrange(1, 4)):
            content[damage.randrange(len(content))] = damage.randrange(256)
        if damage.random() < 0.5:
            del content[damage.randrange(1, len(content)) :]
        path = saved(tmp_path, bytes(content))
        is_caffemodel(path)
        try:
            for tensor in caffemodel_weights(path).tensors.values():
                assert tensor.array().shape == tensor.shape
        except CheckpointError:
            refused += 1
    assert 25 < refused < 150


def test_numbers_that_float32_cannot_hold_are_infinite(tmp_path: Path) -> None:
    path = saved(tmp_path, NET + layer("score", "Convolution", (np.array([[1e300, -1e300, 0.5]]),)))
    values = caffemodel_weights(path).tensors["score.weight"].array()
    np.testing.assert_array_equal(values, np.array([[np.inf, -np.inf, 0.5]], np.float32))


def test_file_that_was_cut_off_since(tmp_path: Path) -> None:
    path = saved(tmp_path, layer("conv1_1", "Convolution", (WEIGHT, BIAS)))
    weights = caffemodel_weights(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(CheckpointError, match="cut off"):
        weights.tensors["conv1_1.weight"].array()


def test_a_file_of_nothing_but_fields_is_given_up_early(tmp_path: Path) -> None:
    fields = part(1, b"") * 60_000
    path = saved(tmp_path, part(100, fields) * 10 + layer("conv", "Convolution", (WEIGHT,)))
    assert not is_caffemodel(path)
    with pytest.raises(CheckpointError, match="no whole"):
        caffemodel_weights(path)
