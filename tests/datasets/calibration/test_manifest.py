from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.datasets.calibration import CalibrationSet, calibration_set, read_manifest, write_manifest
from fcn_edge.errors import ArtifactError, DatasetError, UsageError
from fcn_edge.io.documents import MOST_BYTES, document_text
from fcn_edge.io.images import write_png
from fcn_edge.street import Street

from .scenes import CLASSES, scene

MakeScenes = Callable[..., Path]
SHARES = [{"road": 0.6, "sky": 0.4}, {"road": 0.2, "car": 0.1}, {"sky": 0.5, "person": 0.01}]


@pytest.fixture
def split(make_labeled: MakeScenes) -> Path:
    return make_labeled(SHARES)


@pytest.fixture
def manifest(split: Path) -> Path:
    path = split / "three.json"
    write_manifest(path, calibration_set(split, (*CLASSES, "boat"), 3, seed=4))
    return path


def test_a_set_comes_back(split: Path, manifest: Path) -> None:
    assert read_manifest(manifest) == calibration_set(split, (*CLASSES, "boat"), 3, seed=4)


def test_a_folder_s_set_comes_back(make_folder: MakeScenes, tmp_path: Path) -> None:
    folder = make_folder(4)
    chosen = calibration_set(folder, CLASSES, 3)
    write_manifest(tmp_path / "folder.json", chosen)
    moves: list[tuple[int, int]] = []
    assert read_manifest(tmp_path / "folder.json", folder, lambda *move: moves.append(move)) == chosen
    assert moves == [(1, 3), (2, 3), (3, 3)]


def test_rendered_scenes_come_back_without_a_root(tmp_path: Path) -> None:
    chosen = calibration_set("synthetic://street?frames=4&size=32x48", Street.classes, 2)
    write_manifest(tmp_path / "street.json", chosen)
    assert read_manifest(tmp_path / "street.json") == chosen


def test_a_manifest_names_no_place_on_this_machine(split: Path, manifest: Path) -> None:
    assert str(split.parent) not in manifest.read_text()
    assert split.parent.parent.name not in manifest.read_text()


def test_a_missing_image_is_named(split: Path, manifest: Path) -> None:
    (split / "images" / "001.png").unlink()
    with pytest.raises(DatasetError, match=r"lists images/001\.png: .* cannot be read: No such file"):
        read_manifest(manifest)
    with pytest.raises(DatasetError, match=r"lists images/") as caught:
        read_manifest(manifest, split.parent)
    assert f"Names start from {split.parent}." in caught.value.fix


def test_a_changed_image_is_named(split: Path, manifest: Path) -> None:
    write_png(split / "images" / "001.png", scene(99, (40, 50)))
    with pytest.raises(DatasetError, match=r"001\.png is not the image that was chosen"):
        read_manifest(manifest)


def test_one_bit_of_an_image_is_seen(split: Path, manifest: Path) -> None:
    path = split / "images" / "002.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"002\.png is not the image that was chosen"):
        read_manifest(manifest)


def test_a_scene_that_is_drawn_differently_is_named(tmp_path: Path) -> None:
    chosen = calibration_set("synthetic://street?frames=4&size=32x48", Street.classes, 1)
    (image,) = chosen.images
    write_manifest(tmp_path / "street.json", replace(chosen, images=(replace(image, sha256="0" * 64),)))
    with pytest.raises(DatasetError, match=r"synthetic://street\?seed=.* is drawn differently here"):
        read_manifest(tmp_path / "street.json")


# What follows damages a good manifest, first its bytes, then its content under a fresh seal.

BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "without its last brace": lambda data: data.rstrip()[:-1],
    "one bit of a hash": lambda data: flipped(data, data.index(b'"sha256"') + 15),
    "one bit of a brace": lambda data: flipped(data, 0),
    "one digit of a share": lambda data: data.replace(b"0.6", b"0.7", 1),
    "another seed": lambda data: data.replace(b'"seed": 4', b'"seed": 5'),
    "not JSON": lambda data: b"images/001.png\nimages/002.png\n",
    "binary": lambda data: bytes(range(256)) * 8,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "a list": lambda data: b"[]",
    "a number": lambda data: b"7",
    "NaN": lambda data: data.replace(b"0.6", b"NaN", 1),
    "infinity": lambda data: data.replace(b"0.6", b"1e999", 1),
    "a key twice": lambda data: data.replace(b'"seed": 4', b'"seed": 4, "seed": 4'),
    "deep": lambda data: b"[" * 100_000,
    "huge": lambda data: data + b" " * MOST_BYTES,
    "no digest": lambda data: with_digest_as_it_is(data, lambda content: content.pop("digest")),
    "wrong digest": lambda data: with_digest_as_it_is(data, lambda content: content.update(digest="0" * 64)),
    "digest of a number": lambda data: with_digest_as_it_is(data, lambda content: content.update(digest=7)),
}


def first(content: dict[str, Any], **changes: object) -> None:
    content["images"][0].update(changes)


CONTENTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing but a seal": lambda content: content.clear(),
    "a later schema": lambda content: content.update(schema_version=3),
    "another kind": lambda content: content.update(kind="engine"),
    "no images": lambda content: content.update(images=[]),
    "missing key": lambda content: content.pop("images"),
    "missing hash": lambda content: content["images"][1].pop("sha256"),
    "missing shares": lambda content: content["images"][1].pop("class_shares"),
    "unknown key": lambda content: content.update({"a\nb": 1}),
    "images of a string": lambda content: content.update(images="images/001.png"),
    "an image of a string": lambda content: content["images"].append("images/001.png"),
    "absolute path": lambda content: first(content, name="/etc/passwd.png"),
    "a path upwards": lambda content: first(content, name="../000.png"),
    "a path that comes back": lambda content: first(content, name="images/../images/000.png"),
    "a Windows path": lambda content: first(content, name="C:/images/000.png"),
    "a path with backslashes": lambda content: first(content, name="images\\000.png"),
    "a path with a zero": lambda content: first(content, name="images/000.png\0"),
    "a path with a line break": lambda content: first(content, name="images\n/000.png"),
    "a path that is half a character": lambda content: first(content, name="images/\ud800.png"),
    "an endless path": lambda content: first(content, name="a" * 5000),
    "a long file name": lambda content: first(content, name="a" * 300 + ".png"),
    "an empty path": lambda content: first(content, name=""),
    "a directory": lambda content: first(content, name="images"),
    "the directory itself": lambda content: first(content, name="."),
    "a path of a number": lambda content: first(content, name=7),
    "a name twice": lambda content: first(content, name=content["images"][1]["name"]),
    "a hash twice": lambda content: first(content, sha256=content["images"][1]["sha256"]),
    "a hash of a number": lambda content: first(content, sha256=7),
    "a short hash": lambda content: first(content, sha256="abc"),
    "a hash in capitals": lambda content: first(content, sha256="A" * 64),
    "another image's hash": lambda content: first(content, sha256="0" * 64),
    "shares of text": lambda content: first(content, class_shares={"road": "much"}),
    "a share over 1": lambda content: first(content, class_shares={"road": 1.5}),
    "a share below 0": lambda content: first(content, class_shares={"road": -0.1}),
    "shares of a list": lambda content: first(content, class_shares=[0.1]),
    "shares of no class": lambda content: first(content, class_shares={"boat\n": 0.1}),
    "shares without classes": lambda content: content.update(classes=None),
    "classes without shares": lambda content: first(content, class_shares=None),
    "classes of a number": lambda content: content.update(classes=4),
    "files said to be rendered": lambda content: content.update(rendered=True),
    "rendered scenes said to be files": lambda content: first(content, name="synthetic://street?seed=1#0"),
    "seed of text": lambda content: content.update(seed="four"),
}


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def with_digest_as_it_is(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(data)
    change(content)
    return json.dumps(content).encode("ascii")


def refused(path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        read_manifest(path)
    error = caught.value
    assert error.exit_code == 3
    assert path.name in error.message or "000.png" in error.message
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert error.fix


@pytest.mark.parametrize("damage", BYTES)
def test_damaged_bytes_are_one_sentence(manifest: Path, damage: str) -> None:
    data = manifest.read_bytes()
    changed = BYTES[damage](data)
    assert changed != data
    manifest.write_bytes(changed)
    refused(manifest)


@pytest.mark.parametrize("damage", CONTENTS)
def test_damaged_content_is_one_sentence(manifest: Path, damage: str) -> None:
    content = json.loads(manifest.read_text())
    content["images"].sort(key=lambda image: image["name"])
    CONTENTS[damage](content)
    manifest.write_text(document_text(content), encoding="ascii")
    refused(manifest)


def test_written_again_without_damage_is_read(manifest: Path) -> None:
    """Without this, the way in which the test above writes could be what is refused."""
    content = json.loads(manifest.read_text())
    content["images"].sort(key=lambda image: image["name"])
    manifest.write_text(document_text(content), encoding="ascii")
    assert len(read_manifest(manifest).images) == 3


@pytest.mark.parametrize(
    "address", ["synthetic://town#0", "synthetic://street?seed=1", "synthetic://street#250", "a.png"]
)
def test_an_address_that_makes_no_sense_is_one_sentence(tmp_path: Path, address: str) -> None:
    chosen = calibration_set("synthetic://street?frames=4&size=32x48", Street.classes, 1)
    path = tmp_path / "street.json"
    write_manifest(path, chosen)
    content = json.loads(path.read_text())
    first(content, name=address)
    path.write_text(document_text(content), encoding="ascii")
    refused(path)


def test_missing_file_and_directory_are_one_sentence(tmp_path: Path) -> None:
    refused(tmp_path / "absent.json")
    refused(tmp_path)


def test_a_name_that_no_manifest_holds_is_refused_when_it_is_written(make_folder: MakeScenes, tmp_path: Path) -> None:
    folder = make_folder(2)
    (folder / "000.png").rename(folder / "0\n0.png")
    with pytest.raises(DatasetError, match="No manifest can hold these images") as caught:
        write_manifest(tmp_path / "bad.json", calibration_set(folder, CLASSES, 2))
    assert "\n" not in caught.value.message
    assert not (tmp_path / "bad.json").exists()


def test_more_than_is_read_is_not_written(tmp_path: Path) -> None:
    chosen = calibration_set("synthetic://street?frames=1&size=32x48", Street.classes, 1)
    with pytest.raises(UsageError, match="none so long is read"):
        write_manifest(tmp_path / "long.json", replace(chosen, chosen="x" * MOST_BYTES))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there(tmp_path: Path, split: Path) -> None:
    chosen: CalibrationSet = calibration_set(split, CLASSES, 1)
    with pytest.raises(UsageError, match="could not be written"):
        write_manifest(tmp_path / "absent" / "m.json", chosen)
