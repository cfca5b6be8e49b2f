"""Weights files of others: every format, read to the last number, and told what network they are."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...artifacts.weights.files import safetensors_bytes, save
from ...caffemodel_writer import layer, old_layer
from ..damages import BYTES, bytes_damaged
from ..parser import Parser
from ..structures import json_bytes, tree_damaged

__all__ = ["PARSERS", "header_damaged", "member_damaged"]


def arrays() -> dict[str, Any]:
    chance = np.random.default_rng(2)
    return {
        "a.weight": chance.random((3, 4), np.float32),
        "b.bias": chance.random(7).astype(np.float16),
        "n": np.array(3),
    }


def torch_file(kind: str) -> Callable[[Path], list[bytes]]:
    def made(folder: Path) -> list[bytes]:
        save(folder / "plain", arrays(), kind)
        save(folder / "wrapped", {"state_dict": arrays(), "epoch": np.int64(3), "args": {"path": Path("a")}}, kind)
        return [(folder / "plain").read_bytes(), (folder / "wrapped").read_bytes()]

    return made


def safetensors(_: Path) -> list[bytes]:
    entries = {
        "__metadata__": {"format": "pt"},
        "a.weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]},
        "b.bias": {"dtype": "F16", "shape": [7], "data_offsets": [48, 62]},
        "n": {"dtype": "I64", "shape": [], "data_offsets": [62, 70]},
    }
    return [safetensors_bytes(entries, b"".join(each.tobytes() for each in arrays().values()))]


def npz(_: Path) -> list[bytes]:
    made = []
    for write in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        write(file, **arrays())
        made.append(file.getvalue())
    return made


def caffemodels(_: Path) -> list[bytes]:
    chance = np.random.default_rng(2)
    blobs = chance.random((4, 3, 3, 3), np.float32), chance.random(4).astype(np.float32)
    score = chance.random((2, 4, 1, 1)), chance.random(2)
    new = layer("conv1_1", "Convolution", blobs, pad=100) + layer("relu", "ReLU") + layer("score", "Convolution", score)
    old = old_layer("conv1_1", "Convolution", blobs, pad=1) + old_layer(
        "score", "InnerProduct", (score[0][:, :, 0, 0],)
    )
    return [new, old]


def read(path: Path, _: Path) -> object:
    from fcn_edge.artifacts.caffemodel import caffemodel_weights, is_caffemodel
    from fcn_edge.artifacts.weights import not_taken, variants, weights_of, zip_members

    if is_caffemodel(path):
        weights = caffemodel_weights(path)
    elif path.suffix == ".caffemodel":
        return caffemodel_weights(path)
    else:
        zip_members(path)
        weights = weights_of(path)
    for tensor in weights.tensors.values():
        assert tensor.array().shape == tensor.shape
    for variant in variants(weights):
        not_taken(variant, weights)
    return weights


def recognized(path: Path, _: Path) -> object:
    """What ``export`` says of weights of a network that it does not know."""
    from fcn_edge.export.importers.base import ImportOptions
    from fcn_edge.export.importers.registry import trained_network

    return trained_network(path, ImportOptions())


def filled(path: Path, _: Path) -> object:
    """What ``train --init`` says of it."""
    from fcn_edge.nets.checkpoints import encoder_weights
    from fcn_edge.nets.encoders import encoder

    return encoder_weights(encoder("mobilenet_v2"), path)


def header_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """The table of a safetensors file damaged in its structure, with the length that it then has."""
    (length,) = struct.unpack_from("<Q", whole)
    text = json_bytes(tree_damaged(json.loads(whole[8 : 8 + length]), chance))
    return struct.pack("<Q", len(text)) + text + whole[8 + length :]


def member_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A file in a zip archive damaged, and packed again with its right checksum; now and then there are two of it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(packed, "w") as again:
        names = archive.namelist()
        # the pickle is where most is read
        damaged = next((name for name in names if name.endswith(".pkl")), names[0])
        damaged = damaged if chance.random() < 0.7 else chance.choice(names)
        for name in names:
            content = archive.read(name)
            content = bytes_damaged(content, chance) if name == damaged else content
            how = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            again.writestr(zipfile.ZipInfo(name), content, how)
    return packed.getvalue()


ZIP = (*BYTES, *(member_damaged,) * 6)
PARSERS = (
    Parser("weights.torch-zip", "net.pth", torch_file("zip"), read, ZIP, 1.5),
    Parser("weights.torch-legacy", "net.pth", torch_file("legacy"), read, BYTES, 1.5),
    Parser("weights.safetensors", "net.safetensors", safetensors, read, (*BYTES, *(header_damaged,) * 6), 1.5),
    Parser("weights.npz", "net.npz", npz, read, ZIP, 1),
    Parser("weights.caffemodel", "net.caffemodel", caffemodels, read, BYTES, 1.5),
    Parser("weights.export", "net.pth", torch_file("zip"), recognized, ZIP, 0.5, ("torch",), refuses=True),
    Parser("weights.init", "net.pth", torch_file("legacy"), filled, BYTES, 0.5, ("torch",), refuses=True),
)
