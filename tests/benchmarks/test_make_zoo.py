from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

import torch

from benchmarks import make_zoo
from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.artifacts.models import MANIFEST_FILE, MODEL_FILE, TABLE_FILE, Manifest, resolved_model
from fcn_edge.artifacts.spec import DECODER_STRIDES, ModelSpec, Provenance
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.datasets.calibration.manifest import read_manifest, write_manifest
from fcn_edge.errors import GuardError
from fcn_edge.io.documents import read_document
from fcn_edge.nets.checkpoints import save_checkpoint
from fcn_edge.nets.encoders import ENCODERS
from fcn_edge.nets.fcn import FCN
from fcn_edge.quantization.profiles import PROFILES

from ..thin_encoders import ShortMobileNetV2
from .tiny_data import write_tiny

NAMES = ("camvid-mobilenet_v2-fcn16s", "camvid-mobilenet_v2-fcn8s")


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the script is called with: checkpoints of two decoders of a tiny encoder, and a few frames."""
    monkeypatch.setitem(ENCODERS, "mobilenet_v2", ShortMobileNetV2)
    monkeypatch.setenv("FCN_EDGE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(make_zoo, "LIMITS", ((1.0, 1.0),))
    data = write_tiny(tmp_path / "data", {"train": ("a", "b", "c", "d"), "val": ("e", "f")})
    labels = LABEL_SETS["camvid"]
    write_manifest(tmp_path / "listed.json", calibration_set(str(data / "train"), labels.classes, 2))
    torch.manual_seed(0)
    for name, suffix in zip(NAMES, (".fcn16s", ""), strict=True):
        decoder = name.rpartition("-")[2]
        spec = ModelSpec(
            name=name, encoder="mobilenet_v2", decoder=decoder, stride=DECODER_STRIDES[decoder], size=(32, 64),
            classes=labels.classes, palette=labels.palette, provenance=Provenance(recipe=("once",)),
        )  # fmt: skip
        save_checkpoint(tmp_path / f"net{suffix}.safetensors", FCN("mobilenet_v2", (decoder,), 11), spec)
    (tmp_path / "net.csv").write_text("stage,epoch,loss,\n")
    (tmp_path / "zoo").mkdir()
    street = "synthetic://street?seed=5&frames=1&size=32x64"
    return [
        *(str(tmp_path / "net.safetensors"), "--data", str(data), "--calibration", str(tmp_path / "listed.json")),
        *("--rendered", street, "-o", str(tmp_path / "zoo")),
    ]


def test_makes_every_model_and_goes_on_where_it_was(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[tuple[str, str]] = []
    choose, export, exported = make_zoo.chosen_for_profiles, make_zoo.onnx_from_checkpoint, list[Path]()

    def choosing(model: Any, *arguments: Any, profiles: list[str], **options: Any) -> Any:
        if len(chosen) == 7:
            raise KeyboardInterrupt
        chosen.append((model.spec.name, *profiles))
        return choose(model, *arguments, profiles=profiles, **options)

    def exporting(path: Path, *arguments: Any, **options: Any) -> Any:
        exported.append(path)
        return export(path, *arguments, **options)

    monkeypatch.setattr(make_zoo, "chosen_for_profiles", choosing)
    monkeypatch.setattr(make_zoo, "onnx_from_checkpoint", exporting)
    stopped = CliRunner().invoke(make_zoo.main, words)
    assert (stopped.exit_code, len(chosen), len(exported)) == (1, 7, 2)
    assert list((tmp_path / "zoo").iterdir()) == [], "none is there before all are whole"

    chosen.append(("", ""))
    done = CliRunner().invoke(make_zoo.main, words)
    assert done.exit_code == 0, done.output
    chosen.remove(("", ""))
    assert chosen == [(name, profile) for name in NAMES for profile in PROFILES], "each once"
    assert len(exported) == 2, "each once"
    listed = {image.sha256 for image in read_manifest(tmp_path / "listed.json", tmp_path / "data" / "train").images}
    assert len(listed) == 2
    for name in NAMES:
        folder = tmp_path / "zoo" / name
        model = resolved_model(folder / MODEL_FILE)
        manifest = Manifest.model_validate(read_document(folder / MANIFEST_FILE, GuardError, ""))
        assert (manifest.name, manifest.model_digest, manifest.recipe) == (name, model.digest, ("once",))
        assert {key: record.images for key, record in manifest.accuracy.items()} == {
            "tiny val": 2,
            "rendered-street seed 5": 1,
        }
        table = read_table(folder / TABLE_FILE)
        assert table.model_digest == model.digest
        assert {choice.selected_on for choice in table.choices.values()} == {"tiny train, 2 images"}
        assert {image.sha256 for image in table.images} == listed
    assert (tmp_path / "zoo" / "training.csv").read_text() == "stage,epoch,loss,\n"
    assert sorted(path.name for path in (tmp_path / "zoo").iterdir()) == [*NAMES, "training.csv"]
    assert list((tmp_path / "runs" / "zoo").iterdir()) == [], "what is whole is kept once"


def test_other_inputs_go_on_with_nothing(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(make_zoo, "chosen_for_profiles", stopped)
    assert CliRunner().invoke(make_zoo.main, words).exit_code == 1
    (first,) = (tmp_path / "runs" / "zoo").iterdir()
    words[words.index("--rendered") + 1] = "synthetic://street?seed=6&frames=1&size=32x64"
    assert CliRunner().invoke(make_zoo.main, words).exit_code == 1
    (other,) = set((tmp_path / "runs" / "zoo").iterdir()) - {first}
    for folder, seed in ((first, 5), (other, 6)):
        manifest = Manifest.model_validate(read_document(folder / MANIFEST_FILE, GuardError, ""))
        assert manifest.accuracy.keys() == {"tiny val", f"rendered-street seed {seed}"}


def test_without_a_log_nothing_is_begun(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "net.csv").unlink()
    assert "There is no log" in CliRunner().invoke(make_zoo.main, words).output
    assert not (tmp_path / "runs").exists()


def test_a_profile_may_need_the_second_limits_and_fails_beyond_them(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    choose, holds = make_zoo.chosen_for_profiles, 0.2

    def refused(*arguments: Any, max_drop: float, max_class_drop: float, **options: Any) -> Any:
        tried.append(max_drop)
        if max_drop < holds:
            raise GuardError("It does not hold.", "Allow more.")
        return choose(*arguments, max_drop=1.0, max_class_drop=1.0, **options)

    monkeypatch.setattr(make_zoo, "LIMITS", ((0.1, 0.1), (0.2, 0.2)))
    monkeypatch.setattr(make_zoo, "chosen_for_profiles", refused)
    done = CliRunner().invoke(make_zoo.main, words)
    assert done.exit_code == 0, done.output
    assert tried == [0.1, 0.2] * len(NAMES) * len(PROFILES)
    assert "loses more than 10.0 points of mIoU or 10.0 of a class: It does not hold." in done.output
    before, holds = (tmp_path / "zoo" / NAMES[0] / MANIFEST_FILE).read_bytes(), 0.3
    done = CliRunner().invoke(make_zoo.main, words)
    assert isinstance(done.exception, GuardError)
    assert (tmp_path / "zoo" / NAMES[0] / MANIFEST_FILE).read_bytes() == before
