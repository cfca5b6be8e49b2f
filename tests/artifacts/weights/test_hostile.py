from __future__ import annotations

import builtins
import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.weights import weights_of
from fcn_edge.errors import CheckpointError

from .files import EVIL, named, plain, save, tensor_opcodes, write_legacy, write_zip


class Payload:
    """Unpickling it calls a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.args


def touch(trace: Path) -> Payload:
    return Payload(os.system, f"touch {trace}")


PAYLOADS = {
    "posix.system": touch,
    "builtins.exec": lambda trace: Payload(exec, f"open({str(trace)!r}, 'w').close()"),
    "builtins.eval": lambda trace: Payload(eval, f"open({str(trace)!r}, 'w').close()"),
    "builtins.getattr": lambda trace: Payload(getattr, touch(trace), "real"),
    "pathlib.Path.touch": lambda trace: Payload(Path.touch, trace),
    "posix.mkdir": lambda trace: Payload(os.mkdir, str(trace)),
}


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "protocol 4"])
def test_a_payload_that_would_create_a_file(name: str, kind: str, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "weights.pth"
    payload = PAYLOADS[name](trace)
    try:
        pickle.loads(pickle.dumps(payload, 2))
    except AttributeError:
        assert name == "builtins.getattr"
    assert trace.exists()
    trace.rmdir() if trace.is_dir() else trace.unlink()

    value = {"state_dict": {"a": np.ones(1, np.float32)}, "epoch": payload}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(payload, 2))
    else:
        save(path, value, "legacy" if kind == "legacy" else "zip", protocol=4 if kind == "protocol 4" else 2)
    with pytest.raises(CheckpointError, match="which no checkpoint needs") as caught:
        weights_of(path)
    named = "posix.system" if name == "builtins.getattr" else name
    assert caught.value.message.startswith(f"{path} calls {named} when it is opened the usual way")
    assert "torch.load" in caught.value.fix
    assert not trace.exists()


class InsideOfAnother:
    class Inner:
        pass


def test_a_class_inside_another_is_no_attack(tmp_path: Path) -> None:
    # protocol 2 names it by getattr
    path = tmp_path / "weights.pth"
    save(path, {"model": {"a": np.ones(1)}, "kind": InsideOfAnother.Inner})
    assert b"getattr" in path.read_bytes()
    assert weights_of(path).fields["kind"].endswith(".InsideOfAnother.Inner")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("nt", "system"),
        ("posix", "execv"),
        ("__builtin__", "eval"),
        ("__builtin__", "apply.__self__.exec"),
        ("builtins", "__import__"),
        ("builtins", "open"),
        ("subprocess", "Popen"),
        ("sys", "modules.clear"),
        ("shutil", "rmtree"),
        ("importlib", "import_module"),
        ("importlib.util", "spec_from_file_location"),
        ("runpy", "run_path"),
        ("socket", "create_connection"),
        ("ctypes", "CDLL"),
        ("webbrowser", "open"),
        ("pty", "spawn"),
        ("code", "interact"),
        ("pickle", "loads"),
        ("_pickle", "loads"),
        ("operator", "attrgetter"),
        ("functools", "reduce"),
        ("logging", "os.system"),
        ("torch.hub", "load"),
        ("io", "open"),
    ],
)
def test_what_is_refused_where_it_is_named(module: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write_zip(path, b"\x80\x04" + pickle_text(module) + pickle_text(name) + b"\x93.")
    with pytest.raises(CheckpointError, match="which no checkpoint needs"):
        weights_of(path)


def pickle_text(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


@pytest.mark.parametrize("module", ["code.models", "mmseg.utils.os", "site", "test", "inspect", "types"])
def test_what_is_only_called_like_it(module: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write_zip(path, b"\x80\x02" + named(module, "Net") + b".")
    with pytest.raises(CheckpointError, match="holds no state_dict"):
        weights_of(path)


def test_nothing_that_is_named_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w').close()\nclass Net: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    body = b"\x80\x02}X\x01\x00\x00\x00n" + named("trap", "Net") + b")Rs."
    path = tmp_path / "weights.pth"
    write_zip(path, body)
    with pytest.raises(CheckpointError, match="holds no state_dict"):
        weights_of(path)
    assert not (tmp_path / "trace").exists()


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


@pytest.mark.parametrize(
    "target",
    [
        named("torch._utils", "_rebuild_tensor_v2"),
        named("torch", "FloatStorage"),
        named("torch", "float32"),
        named("collections", "OrderedDict"),
        named("numpy", "dtype"),
        named("numpy.core.multiarray", "_reconstruct"),
        named("__builtin__", "getattr"),
        named("json", "dumps"),
        STORAGE,
    ],
)
def test_no_state_changes_what_a_pickle_names(target: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    for write in (write_zip, write_legacy):
        write(path, b"\x80\x02" + target + EVIL + b".")
        with pytest.raises(CheckpointError, match=r"cannot be read as weights: its pickle (is damaged|changes)"):
            weights_of(path)
    for real in (np.dtype, OrderedDict, builtins.getattr, json.dumps):
        assert not hasattr(real, "evil")


def test_such_a_state_would_change_a_function() -> None:
    pickle.loads(b"\x80\x02" + named("json", "dumps") + EVIL + b".")
    try:
        assert json.dumps.evil == 1  # type: ignore[attr-defined]
    finally:
        del json.dumps.evil  # type: ignore[attr-defined]


def test_attributes_of_a_dictionary_do_not_hide_its_methods(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    state = b"}(X\x05\x00\x00\x00itemsK\x01X\x03\x00\x00\x00getK\x02ub"
    tensor = tensor_opcodes(count=2, size=(2,))
    dictionary = b"\x80\x02" + named("collections", "OrderedDict") + b")R" + plain("a") + tensor + b"s" + state + b"."
    write_zip(path, dictionary, {"data/0": np.ones(2, "<f4").tobytes()})
    assert weights_of(path).tensors["a"].array().tolist() == [1, 1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        # a memo index that would allocate 16 GB
        (b"\x80\x02Nr\xff\xff\xff\x3f.", "too much memory"),
        # a text of 2^62 bytes
        (b"\x80\x04\x8d" + (1 << 62).to_bytes(8, "little") + b".", "cut off, or larger"),
        (b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b".", "cut off, or larger"),
        # tuples in tuples: hashing the outermost would take 2^100 steps, or overflow the C stack
        (b"\x80\x02})" + b"q\x00h\x00\x86" * 100 + b"Ns.", "keys that would take too long"),
        (b"\x80\x02})" + b"\x85" * 1001 + b"Ns.", "keys that would take too long"),
        (b"\x80\x04(N" + b"\x85" * 1001 + b"\x91.", "keys that would take too long"),
        # a key of a thousand bits, many of which may have one hash
        (b"\x80\x02}\x8a\x80" + b"\x01" * 128 + b"Ns.", "keys that would take too long"),
        (b"\x80\x02\x82\x01.", "not in the file"),
        (b"\x80\x05\x97.", "not in the file"),
        (b"\x80\x02N", "damaged or cut off"),
        (b"\x80\x02.", "damaged or cut off"),
        (b"\x80\x02(0(00.", "damaged or cut off"),
        (b"\x80\x02cos\n", "damaged or cut off"),
        (b"\x80\x02K\x01)R.", "its pickle is damaged"),
        (b"\x80\x02X\x01\x00\x00\x00xQ.", "refers to what no checkpoint has"),
        (b"\x80\x02cdecimal\nDecimal\n)R)R.", "calls what decimal.Decimal gave"),
        (b"".join([b"\x80\x02", *(b"cm\nN%d\n0" % number for number in range(2001)), b"N."]), "too many classes"),
    ],
)
def test_what_a_pickle_may_cost(body: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    for write in (write_zip, write_legacy):
        write(path, body)
        with pytest.raises(CheckpointError, match=message) as caught:
            weights_of(path)
        assert "\n" not in str(caught.value)


def test_a_pickle_of_too_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.artifacts.weights.opcodes.MOST_OPCODES", 1000)
    path = tmp_path / "weights.pth"
    write_zip(path, b"\x80\x02]" + b"]a" * 1000 + b".")
    with pytest.raises(CheckpointError, match="too many objects"):
        weights_of(path)
