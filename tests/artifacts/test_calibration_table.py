from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_edge.artifacts.calibration_table import (
    CalibratedImage,
    CalibrationTable,
    QuantizationChoice,
    TensorRange,
    read_table,
    write_table,
)
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.cli.main import main
from fcn_edge.errors import TableError, UsageError
from fcn_edge.io.documents import MOST_BYTES, document_text
from fcn_edge.testing.engine import fake_spec

SPEC = fake_spec()
DIGEST = "0123456789abcdef" * 4

Damage = Callable[[Path], None]


def tensor(**changes: Any) -> TensorRange:
    fields: dict[str, Any] = {
        "low": -1.5,
        "high": 2.25,
        "rms": 0.5,
        "zeros": 0.25,
        "percentile": (-1.0, 2.0),
        "entropy": 1.75,
        "mse": (-1.25, 2.0),
        "mse_amax": 2.0,
    }
    return TensorRange.model_validate({**fields, **changes})


def table_for(digest: str = DIGEST, spec: ModelSpec = SPEC, **changes: Any) -> CalibrationTable:
    fields: dict[str, Any] = {
        "model": spec.name,
        "model_digest": digest,
        "resize": spec.resize,
        "normalization": spec.normalization,
        "size": spec.size,
        "dataset": "camvid train",
        "chosen": "2 of 9 images.",
        "missing_classes": ("bicyclist",),
        "images": (
            CalibratedImage(name="images/a.png", sha256="a" * 64),
            CalibratedImage(name="images/ü b.png", sha256="b" * 64),
        ),
        "tensors": {"input": tensor(channel_means=(0.1, -2.0, 1234567.0, 1e-05)), "conv": tensor()},
        "choices": {"openvino": QuantizationChoice(method="mse", excluded_layers=("conv",), selected_on="camvid val")},
        "tools": {"numpy": "2.0.0"},
    }
    return CalibrationTable.model_validate({**fields, **changes})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A whole table, to be damaged."""
    path = tmp_path / "table.json"
    write_table(path, table_for())
    return path


def test_table_comes_back(path: Path) -> None:
    assert read_table(path) == table_for()
    assert read_table(path).digest == table_for().digest


finite = st.floats(-1e30, 1e30).map(lambda value: float(f"{value:.7g}"))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(finite, max_size=4), finite)
def test_every_digit_comes_back(tmp_path_factory: pytest.TempPathFactory, means: list[float], value: float) -> None:
    path = tmp_path_factory.getbasetemp() / "any-table.json"
    span = tensor(low=-abs(value), high=abs(value), entropy=abs(value), channel_means=tuple(means))
    table = table_for(tensors={"a": span})
    write_table(path, table)
    assert read_table(path) == table


def test_a_range_times_a_factor_has_all_its_numbers_times_it() -> None:
    span = tensor(channel_means=(0.5, -3.0))
    half = span.times(0.5)
    assert half == tensor(
        low=-0.75,
        high=1.125,
        rms=0.25,
        percentile=(-0.5, 1.0),
        entropy=0.875,
        mse=(-0.625, 1.0),
        mse_amax=1.0,
        channel_means=(0.25, -1.5),
    )
    assert half.times(2) == span


def test_same_table_has_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    write_table(again, read_table(path))
    assert again.read_bytes() == path.read_bytes()
    assert json.loads(path.read_text(encoding="utf-8"))["digest"] == table_for().digest


@pytest.mark.parametrize("writer", ["0.0.1", "99.0.0"])
def test_table_of_another_fcn_edge_keeps_its_digest(path: Path, tmp_path: Path, writer: str) -> None:
    rewritten("written_by", writer)(path)
    if writer == "99.0.0":
        rewritten("tensors.conv.median", 0.5)(path)
        rewritten("lens", "wide")(path)
    table = read_table(path)
    assert table.digest == json.loads(path.read_text(encoding="utf-8"))["digest"] != table_for().digest
    write_table(tmp_path / "again.json", table)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    changed = table.model_copy(update={"choices": {}})
    assert changed.digest == table_for(choices={}).digest


def test_table_is_json_that_people_read(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["model_digest"] == DIGEST
    assert content["tools"] == {"numpy": "2.0.0"}
    assert [image["name"] for image in content["images"]] == ["images/a.png", "images/ü b.png"]
    assert content["tensors"]["input"]["channel_means"] == "0.1 -2.0 1234567.0 1e-05"
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) < 200


@pytest.mark.parametrize(
    "change",
    [
        {"images": (CalibratedImage(name="images/a.png", sha256="c" * 64),)},
        {"tensors": {"input": tensor(high=2.3), "conv": tensor()}},
        {"tensors": {"input": tensor(channel_means=(0.1, -2.0, 1234567.0, 1.000001e-05)), "conv": tensor()}},
        {"tools": {"numpy": "2.0.1"}},
        {"choices": {}},
    ],
)
def test_digest_covers_everything(change: dict[str, Any]) -> None:
    assert table_for(**change).digest != table_for().digest


def test_image_hashes_are_those_of_the_images() -> None:
    assert table_for().image_hashes == {"a" * 64, "b" * 64}


def test_table_is_for_its_model() -> None:
    table_for().require_for("table.json", DIGEST, SPEC.replace(size=(640, 640), name="renamed"))


@pytest.mark.parametrize(
    ("digest", "changes", "said"),
    [
        ("f" * 64, {}, r"another model: it was made for .* \(0123456789ab\), and this is .* \(ffffffffffff\)"),
        (
            DIGEST,
            {"resize": {"policy": "stretch"}},
            "made with another resize policy: .*pad.*; the model has .*stretch",
        ),
        (
            DIGEST,
            {"normalization": {"mean": (1, 2, 3)}},
            r"made with another normalization: .*the model has .*1\.0, 2\.0",
        ),
    ],
)
def test_table_of_another_model_or_preprocessing_is_refused(digest: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        table_for().require_for("t.json", digest, SPEC.replace(**changes))
    assert caught.value.exit_code == 3
    assert "t.json" in caught.value.message
    assert "fcn-edge calibrate" in caught.value.fix


def test_directory_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_table(tmp_path / "none" / "table.json", table_for())


def written(data: bytes) -> Damage:
    return lambda path: path.write_bytes(data) and None


def cut(share: float) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)]) and None


def replaced(old: str, new: str) -> Damage:
    """Other text, under the digest of the old one."""

    def damage(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def rewritten(key: str, change: Any) -> Damage:
    """Content changed, with a new digest: what the digest cannot tell. ``images.0.sha256`` is a key inside others."""

    def damage(path: Path) -> None:
        content = json.loads(path.read_text(encoding="utf-8"))
        *outer, last = (int(part) if part.isdigit() else part for part in key.split("."))
        part = content
        for step in outer:
            part = part[step]
        if change is None:
            del part[last]
        else:
            part[last] = change(part[last]) if callable(change) else change
        path.write_text(document_text(content), encoding="utf-8")

    return damage


def missing(path: Path) -> None:
    path.unlink()


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def bit_flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(data)


def infinity(path: Path) -> None:
    replaced('"rms": 0.5', '"rms": 1e999')(path)


DAMAGES: dict[str, Damage] = {
    "missing": missing,
    "a directory": directory,
    "a pipe": pipe,
    "empty": written(b""),
    "cut off": cut(0.5),
    "last brace gone": lambda path: written(path.read_bytes().rstrip()[:-1])(path),
    "zeros": written(bytes(1000)),
    "not UTF-8": written(b'{"digest": "\xff\xfe"}'),
    "a list": written(b"[]"),
    "no content": written(b"{}"),
    "giant": written(b" " * (MOST_BYTES + 1)),
    "deep": written(b'{"a":' * 50_000),
    "bit flipped": bit_flipped,
    "one digit": replaced('"high": 2.25', '"high": 2.26'),
    "NaN": replaced('"rms": 0.5', '"rms": NaN'),
    "infinite": infinity,
    "number of many digits": replaced('"rms": 0.5', '"rms": ' + "9" * 5000),
    "key twice": replaced("{", '{"model": "other",'),
    "digest gone": replaced('"digest"', '"digset"'),
    "unknown key, checksummed": rewritten("images.0", lambda image: {**image, "path": "/a"}),
    "unknown key of two lines": rewritten("images.0", lambda image: {**image, "a\nb\rc": 1}),
    "unknown key of a thousand letters": rewritten("images.0", lambda image: {**image, 1000 * "a": 1}),
    "unknown key that is no text": rewritten("images.0", lambda image: {**image, "\ud800": 1}),
    "no model": rewritten("model", None),
    "model empty": rewritten("model", ""),
    "digest of the model too short": rewritten("model_digest", "abc"),
    "digest of the model in capitals": rewritten("model_digest", str.upper),
    "policy unknown": rewritten("resize.policy", "crop"),
    "std zero": rewritten("normalization.std", [0, 1, 1]),
    "size of one": rewritten("size", [64]),
    "size zero": rewritten("size", [64, 0]),
    "size negative": rewritten("size", [-64, 96]),
    "no images": rewritten("images", []),
    "images by name": rewritten("images", {"a.png": "a" * 64}),
    "image twice": rewritten("images.0.sha256", "b" * 64),
    "image without a hash": rewritten("images.0.sha256", None),
    "no tensors": rewritten("tensors", {}),
    "tensors a list": rewritten("tensors", []),
    "tensor without a name": rewritten("tensors", lambda tensors: {"": tensors["conv"]}),
    "tensor whose name is no text": rewritten("tensors", lambda tensors: {"\ud800": tensors["conv"]}),
    "tensor a number": rewritten("tensors.conv", 3),
    "ends swapped": rewritten("tensors.conv.low", 5.0),
    "low a word": rewritten("tensors.conv.low", "deep"),
    "high too large for a float": rewritten("tensors.conv.high", 10**400),
    "zeros more than all": rewritten("tensors.conv.zeros", 1.5),
    "rms negative": rewritten("tensors.conv.rms", -1),
    "range without zero": rewritten("tensors.conv.percentile", [0.5, 2.0]),
    "range of three": rewritten("tensors.conv.mse", [-1, 0, 1]),
    "threshold negative": rewritten("tensors.conv.entropy", -2.0),
    "threshold gone": rewritten("tensors.conv.mse_amax", None),
    "means with a word": rewritten("tensors.input.channel_means", "0.1 much 3"),
    "means with NaN": rewritten("tensors.input.channel_means", "0.1 nan 3"),
    "means a number": rewritten("tensors.input.channel_means", 3),
    "method unknown": rewritten("choices.openvino.method", "best"),
    "floats a number": rewritten("choices.openvino.excluded_layers", 7),
    "tools a list": rewritten("tools", ["numpy"]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_a_table_error_of_one_sentence(path: Path, damage: Damage) -> None:
    damage(path)
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert caught.value.exit_code == 3
    assert str(path) in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.message.endswith(".")
    assert len(caught.value.message) < 500 + len(str(path))
    assert "fcn-edge calibrate" in caught.value.fix


ON_THE_COMMAND_LINE = [
    "missing",
    "cut off",
    "not UTF-8",
    "one digit",
    "key twice",
    "unknown key that is no text",
    "ends swapped",
]


@pytest.mark.parametrize("name", ON_THE_COMMAND_LINE)
def test_damage_on_the_command_line_is_one_json_object(tiny: Any, tmp_path: Path, path: Path, name: str) -> None:
    write_table(path, table_for(model_digest(tiny.path), tiny.spec))
    DAMAGES[name](path)
    printed = refused_by_build(tiny.path, path, tmp_path)
    assert str(path) in printed["error"]
    assert "fcn-edge calibrate" in printed["fix"]


def test_table_of_another_model_on_the_command_line(tiny: Any, tmp_path: Path, path: Path) -> None:
    assert "another model" in refused_by_build(tiny.path, path, tmp_path)["error"]


def test_table_of_another_preprocessing_on_the_command_line(tiny: Any, tmp_path: Path, path: Path) -> None:
    other = tiny.spec.replace(resize={"policy": "stretch"})
    write_table(path, table_for(model_digest(tiny.path), other))
    assert "another resize policy" in refused_by_build(tiny.path, path, tmp_path)["error"]


def refused_by_build(model: Path, table: Path, directory: Path) -> dict[str, Any]:
    arguments = ["build", model, "--precision", "int8", "--calibration", table, "-o", directory / "engine", "--json"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 3, done.output
    assert "Traceback" not in done.stderr
    assert not (directory / "engine").exists()
    printed: dict[str, Any] = json.loads(done.stdout)
    assert printed["exit_code"] == 3
    return printed
