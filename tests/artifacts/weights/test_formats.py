from __future__ import annotations

import io
import json
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.artifacts.file_kinds import checkpoint_format
from fcn_edge.artifacts.weights import Weights, weights_of
from fcn_edge.errors import CheckpointError

from .files import named, plain, safetensors_bytes, save, tensor_pickle, write_legacy, write_zip

NUMBERS = np.arange(4, dtype="<f4").tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.bin"


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        weights_of(path)
    assert str(path) in caught.value.message
    assert caught.value.fix
    assert str(caught.value).isprintable()
    return caught.value.message


SAFE_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "U8": "u1", "BOOL": "?"}


def test_safetensors_by_the_format(path: Path) -> None:
    numbers = np.abs(np.arange(-3, 3) / 2).reshape(2, 3)
    arrays = {code: numbers.astype(dtype) for code, dtype in SAFE_TYPES.items()}
    # a bfloat16 is the upper half of a float32
    arrays["BF16"] = (numbers.astype("<f4").view("<u4") >> 16).astype("<u2")
    entries: dict[str, object] = {"__metadata__": {"format": "pt", "note": "ours"}}
    data = b""
    for code, stored in arrays.items():
        start, data = len(data), data + stored.tobytes()
        entries[f"of {code}"] = {"dtype": code, "shape": [2, 3], "data_offsets": [start, len(data)]}
    path.write_bytes(safetensors_bytes(entries, data))
    weights = weights_of(path)
    assert (weights.kind, weights.wrapper, weights.globals) == ("safetensors", "", frozenset())
    assert weights.fields == {"format": "pt", "note": "ours"}
    assert list(weights.tensors) == [f"of {code}" for code in arrays]
    for code, stored in arrays.items():
        array = weights.tensors[f"of {code}"].array()
        if code in ("I64", "U8", "BOOL"):
            assert array.dtype == stored.dtype
            assert np.array_equal(array, stored)
        else:
            assert array.dtype == np.float32
            assert np.array_equal(array, numbers)


@pytest.mark.parametrize("start", [b"\x80\x02", b"PK", b"\x1f\x8b"])
def test_safetensors_whose_header_is_as_long_as_another_format_begins(start: bytes, path: Path) -> None:
    entries = {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    header = json.dumps(entries).encode().ljust(int.from_bytes(start, "little"))
    path.write_bytes(struct.pack("<Q", len(header)) + header + NUMBERS)
    assert path.read_bytes().startswith(start)
    weights = weights_of(path)
    assert weights.kind == "safetensors"
    assert weights.tensors["w"].array().tobytes() == NUMBERS
    assert checkpoint_format(path) == "safetensors"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_numpy(save, path: Path) -> None:
    arrays = {
        "a/weight": np.asfortranarray(np.random.default_rng(0).random((3, 4, 2))),
        "half": np.arange(6, dtype=">f2").reshape(2, 3),
        "count": np.array(7),
        "flag": np.array([True, False]),
    }
    with path.open("wb") as file:
        save(file, **arrays)
    weights = weights_of(path)
    assert (weights.kind, weights.wrapper, weights.fields) == ("npz", "", {})
    assert [tensor.dtype for tensor in weights.tensors.values()] == ["float64", "float16", "int64", "bool"]
    for key, expected in arrays.items():
        array = weights.tensors[key].array()
        assert array.shape == weights.tensors[key].shape == expected.shape
        assert np.array_equal(array, expected.astype(np.float32) if expected.dtype.kind == "f" else expected)
        assert array.flags.c_contiguous


def test_a_format_is_told_by_content(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    save(path, {"a": np.ones(1)})
    assert weights_of(path).kind == "zip"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file, which Keras writes"),
        (b"\x1f\x8b\x08" + bytes(100), "is packed with gzip"),
        (b"not weights at all", "no safetensors file"),
        (b"", "no safetensors file"),
        (b"PK", "damaged zip archive"),
        (b"PK\x05\x06" + bytes(18), "without the data.pkl"),
        (b"\x80", "damaged or cut off"),
        (b"\x80\x02N.", "a pickle that torch.save did not write"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02K\x05.", "of a version"),
        (struct.pack("<Q", 1 << 60), "no safetensors file"),
    ],
)
def test_what_is_no_weights_file(content: bytes, message: str, path: Path) -> None:
    path.write_bytes(content)
    assert message in refused(path)


def test_models_are_not_called_damaged_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x09\x3a\x00")
    assert "is called an ONNX model; weights of PyTorch were expected" in refused(path)


def test_paths_that_lead_to_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.pth", tmp_path, tmp_path / "pipe"):
        assert refused(path) == f"There is no weights file {path}."


def test_tar_archives(path: Path) -> None:
    with tarfile.open(path, "w:") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
        archive.addfile(tarfile.TarInfo("pickle"))
    assert "is a tar archive; a weights file was expected" in refused(path)


def test_programs(path: Path) -> None:
    write_zip(path, b"\x80\x02N.", {"code/__torch__.py": b"def forward(self): pass", "constants.pkl": b"\x80\x02)."})
    assert "is a TorchScript archive" in refused(path)


def test_other_zip_archives(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no weights here")
    assert "without the data.pkl" in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        {"size": (5,)},
        {"offset": 1},
        {"offset": -1},
        {"stride": (2,)},
        {"stride": (-1,)},
        {"size": (-4,)},
        {"size": (1 << 40,), "stride": (0,), "count": 1 << 40},
        {"size": (2, 2)},
        {"size": (1 << 300,)},
        {"size": (1,) * 40, "stride": (1,) * 40},
        {"count": 5},
        {"count": -4},
        {"storage": "DoubleStorage"},
        {"storage": "OtherStorage"},
        {"key": "1"},
        {"key": "../../data.pkl"},
    ],
)
def test_tensors_outside_their_storage(change: dict[str, object], path: Path) -> None:
    write_zip(path, tensor_pickle(), {"data/0": NUMBERS})
    assert weights_of(path).tensors["a"].array().tolist() == [0, 1, 2, 3]
    write_zip(path, tensor_pickle(**change), {"data/0": NUMBERS})  # type: ignore[arg-type]
    assert "cannot be read as weights: " in refused(path)
    write_legacy(path, tensor_pickle(**change), {"0": NUMBERS})  # type: ignore[arg-type]
    assert "cannot be read as weights: " in refused(path)


def test_zip_archives_that_would_grow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for body, more in (
        (tensor_pickle() + bytes(100_000), {"data/0": NUMBERS}),
        (tensor_pickle(), {"data/0": bytes(10_000)}),
    ):
        write_zip(path, body, more, zipfile.ZIP_DEFLATED)
        assert "is compressed, which PyTorch never writes" in refused(path)
    with path.open("wb") as file:
        np.savez_compressed(file, a=np.zeros(100_000))
    assert weights_of(path).tensors["a"].shape == (100_000,)
    monkeypatch.setattr("fcn_edge.artifacts.weights.npz._BOMB_BYTES", 100_000)
    assert "would grow by more than 100 times" in refused(path)


def test_zip_entries_that_share_bytes(path: Path) -> None:
    write_zip(path, tensor_pickle(), {"data/1": NUMBERS})
    content = path.read_bytes()
    record = content[content.index(b"PK\x03\x04", 1) : content.index(b"PK\x01\x02")]
    write_zip(path, tensor_pickle(), {"data/0": record, "data/1": NUMBERS})
    content = bytearray(path.read_bytes())
    inside = content.index(record)
    directory = content.rindex(b"PK\x01\x02")
    struct.pack_into("<L", content, directory + 42, inside)
    path.write_bytes(content)
    assert "shares bytes with another" in refused(path)


def test_zip_names_that_contradict_each_other(path: Path) -> None:
    write_zip(path, tensor_pickle(), {"data/0": NUMBERS})
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    path.write_bytes(content[:directory].replace(b"net/data/0", b"net/data/1") + content[directory:])
    assert "names contradict each other" in refused(path)
    twice = content[:directory] + content[directory:].replace(b"net/data.pkl", b"net/data/000").replace(
        b"\x0c\0net", b"\x0c\0net"
    )
    path.write_bytes(twice)
    assert "cannot be read as weights" in refused(path)


def test_directories_that_are_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.artifacts.weights.torch_zip.LARGEST_DIRECTORY", 1 << 17)
    write_zip(path, tensor_pickle(), {f"data/{number:0200}": b"" for number in range(600)})
    assert "too many files" in refused(path)


def test_arrays_of_python_2_are_read_without_numpy_s_words(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4L,), }".ljust(117) + b"\n"
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + NUMBERS)
    assert weights_of(path).tensors["a"].array().tobytes() == NUMBERS


def test_arrays_that_are_no_numbers(path: Path) -> None:
    for array in (np.array([{"a": 1}], object), np.array(["text"]), np.zeros(2, [("a", "f4")]), np.ones(2, complex)):
        with path.open("wb") as file:
            np.savez(file, a=array)
        message = refused(path)
        assert "its array a holds other things than numbers" in message or "its array a is damaged" in message


@pytest.mark.parametrize(
    "entries",
    [
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"a": {"dtype": "F32", "shape": [1] * 40 + [2], "data_offsets": [0, 8]}},
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        },
    ],
)
def test_safetensors_that_contradict_themselves(entries: dict[str, object], path: Path) -> None:
    path.write_bytes(safetensors_bytes(entries, bytes(8)))
    assert "cannot be read as weights" in refused(path)


def small_files(folder: Path) -> dict[str, Path]:
    random = np.random.default_rng(2)
    arrays: dict[str, np.ndarray] = {
        "a.weight": random.random((3, 4), np.float32),
        "b.bias": random.random(7).astype(np.float16),
        "n": np.array(3),
    }
    paths = {kind: folder / kind for kind in ("zip", "legacy", "safetensors", "npz")}
    for kind in ("zip", "legacy"):
        save(paths[kind], {"state_dict": arrays, "epoch": np.int64(3), "args": {"path": Path("runs/a")}}, kind)
    entries = {
        "a.weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]},
        "b.bias": {"dtype": "F16", "shape": [7], "data_offsets": [48, 62]},
        "n": {"dtype": "I64", "shape": [], "data_offsets": [62, 70]},
    }
    paths["safetensors"].write_bytes(safetensors_bytes(entries, b"".join(map(np.ndarray.tobytes, arrays.values()))))
    with paths["npz"].open("wb") as file:
        np.savez_compressed(file, **arrays)
    return paths


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "npz"])
def test_the_same_weights_in_every_format(kind: str, tmp_path: Path) -> None:
    weights = weights_of(small_files(tmp_path)[kind])
    assert weights.kind == kind
    expected = {"epoch": 3, "args": {"path": "runs/a"}} if kind in ("zip", "legacy") else {}
    assert (weights.fields, weights.wrapper) == (expected, "state_dict" if expected else "")
    random = np.random.default_rng(2)
    arrays = {key: tensor.array() for key, tensor in weights.tensors.items()}
    assert np.array_equal(arrays["a.weight"], random.random((3, 4), np.float32))
    assert np.array_equal(arrays["b.bias"], random.random(7).astype(np.float16))
    assert arrays["n"] == 3


@pytest.mark.parametrize(
    ("module", "parts", "text"),
    [
        ("pathlib", ("/", "home", "a"), "/home/a"),
        ("pathlib", (), "."),
        # as Python 3.13 writes it
        ("pathlib._local", ("/home/a",), "/home/a"),
    ],
)
def test_paths_beside_the_tensors(module: str, parts: tuple[str, ...], text: str, path: Path) -> None:
    folder = named(module, "PosixPath") + b"(" + b"".join(map(plain, parts)) + b"tR"
    write_zip(path, tensor_pickle()[:-1] + plain("folder") + folder + b"s.", {"data/0": NUMBERS})
    assert weights_of(path).fields == {"folder": text}


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "npz"])
def test_damaged_files_never_end_in_another_error(kind: str, tmp_path: Path) -> None:
    path = small_files(tmp_path)[kind]
    content = path.read_bytes()
    random = np.random.default_rng(0)
    outcomes = {Weights: 0, CheckpointError: 0}
    sentences = []
    for number in range(60):
        damaged = bytearray(content)
        if number < 20:
            del damaged[int(random.integers(len(content))) :]
        else:
            for position in random.integers(0, len(content), int(random.integers(1, 6))):
                damaged[position] = int(random.integers(256))
        path.write_bytes(damaged)
        try:
            weights = weights_of(path)
            for tensor in weights.tensors.values():
                assert tensor.array().shape == tensor.shape
        except CheckpointError as error:
            outcomes[CheckpointError] += 1
            sentences.append(str(error))
        else:
            outcomes[Weights] += 1
    assert all(map(str.isprintable, sentences))
    assert outcomes[CheckpointError] > 3, outcomes


def test_pickles_whose_opcodes_are_shuffled(tmp_path: Path) -> None:
    """Mutants of the pickle alone, in an archive that is whole."""
    path = small_files(tmp_path)["zip"]
    with zipfile.ZipFile(path) as archive:
        parts = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    body = parts.pop("data.pkl")
    random = np.random.default_rng(1)
    refusals = 0
    for _ in range(60):
        mutant = bytearray(body)
        at, length = int(random.integers(len(body))), int(random.integers(1, 20))
        match random.integers(3):
            case 0:
                del mutant[at : at + length]
            case 1:
                mutant[at:at] = body[(start := int(random.integers(len(body)))) : start + length]
            case _:
                mutant[at] = int(random.integers(256))
        archive_bytes = io.BytesIO()
        with zipfile.ZipFile(archive_bytes, "w") as archive:
            for name, part in {"data.pkl": bytes(mutant), **parts}.items():
                archive.writestr(f"net/{name}", part)
        path.write_bytes(archive_bytes.getvalue())
        try:
            for tensor in weights_of(path).tensors.values():
                tensor.array()
        except CheckpointError:
            refusals += 1
    assert 10 < refusals < 60
