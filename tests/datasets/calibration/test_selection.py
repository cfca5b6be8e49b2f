from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.datasets.calibration import CalibrationSet, calibration_set, write_manifest
from fcn_edge.datasets.rendered import rendered_splits
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.io.images import read_image, write_png
from fcn_edge.street import Street

from .scenes import CLASSES, noise, scene

MakeScenes = Callable[..., Path]

ROAD = {"road": 0.6, "sky": 0.4}
EVERYTHING = {"road": 0.5, "sky": 0.3, "car": 0.15, "person": 0.05}


def names(chosen: CalibrationSet) -> list[str]:
    return [image.name for image in chosen.images]


def test_labels_make_a_balanced_choice(make_labeled: MakeScenes) -> None:
    split = make_labeled([ROAD] * 30 + [{"road": 0.9, "car": 0.1}, {"sky": 0.9, "person": 0.02}])
    chosen = calibration_set(split, CLASSES, 4)
    assert {"images/030.png", "images/031.png"} <= set(names(chosen))
    assert (chosen.name, chosen.split, chosen.classes, chosen.rendered) == ("scenes", "train", CLASSES, False)
    assert chosen.missing_classes == ()
    assert chosen.chosen.startswith("4 of 32 images of scenes train: ")
    assert [image.path for image in chosen.images] == [split / name for name in names(chosen)]
    assert all(image.read().shape == (40, 50, 3) for image in chosen.images)


def test_class_shares_are_of_all_pixels(make_labeled: MakeScenes) -> None:
    split = make_labeled([{"road": 0.5, "person": 0.1}])
    (image,) = calibration_set(split, CLASSES, 1).images
    assert image.class_shares == {"road": 0.5, "person": 0.1}


def test_missing_classes_are_named(make_labeled: MakeScenes) -> None:
    split = make_labeled([ROAD, {"road": 0.9, "car": 0.1}, {"sky": 1.0, "person": 0.0}])
    chosen = calibration_set(split, ("sky", "person", "boat", "car"), 3)
    assert chosen.missing_classes == ("person", "boat")
    assert "The data set has no class boat." in chosen.notes
    assert any(note.startswith("No image shows person") for note in chosen.notes)


def test_classes_are_matched_by_name_not_by_number(make_labeled: MakeScenes) -> None:
    split = make_labeled([ROAD] * 20 + [EVERYTHING])
    turned = calibration_set(split, CLASSES[::-1], 2)
    assert set(names(turned)) == set(names(calibration_set(split, CLASSES, 2)))
    assert "images/020.png" in names(turned)


def test_a_class_of_the_data_set_that_the_model_lacks_does_not_steer(make_labeled: MakeScenes) -> None:
    split = make_labeled([ROAD] * 5 + [{"road": 0.7, "sky": 0.1, "person": 0.2}] * 5)
    for seed in range(4):
        chosen = calibration_set(split, ("road", "sky"), 1, seed)
        assert chosen.images[0].class_shares == ROAD


def test_labels_without_a_class_of_the_model_count_as_none(make_labeled: MakeScenes) -> None:
    split = make_labeled([EVERYTHING] * 6)
    chosen = calibration_set(split, ("cat", "dog"), 3)
    assert len(chosen.images) == 3
    assert chosen.missing_classes == ()
    assert any("names none of the model's classes" in note for note in chosen.notes)
    assert "how little it looks like" in chosen.chosen


def test_a_folder_is_chosen_by_content(make_folder: MakeScenes) -> None:
    folder = make_folder(3)
    for index in range(40):
        image = scene(0)
        image[index % 48, index] ^= 1
        write_png(folder / f"like-{index:02d}.png", image)
    chosen = calibration_set(folder, CLASSES, 3)
    assert {"001.png", "002.png"} <= set(names(chosen))
    assert (chosen.name, chosen.split, chosen.classes) == ("folder", "", None)
    assert chosen.missing_classes == ()
    assert all(image.class_shares is None for image in chosen.images)
    assert any("not known whether they show every class" in note for note in chosen.notes)


def test_images_without_labels_are_a_folder(make_labeled: MakeScenes) -> None:
    split = make_labeled([ROAD] * 4)
    shutil.rmtree(split / "labels")
    chosen = calibration_set(split, CLASSES, 2)
    assert chosen.classes is None
    assert all(name.startswith("images/") for name in names(chosen))


@pytest.mark.parametrize("labeled", [True, False])
def test_the_choice_hangs_on_content_and_seed_alone(
    make_labeled: MakeScenes, make_folder: MakeScenes, tmp_path: Path, labeled: bool
) -> None:
    random = np.random.default_rng(0)
    mixes = [dict(zip(CLASSES, map(float, random.dirichlet([4, 4, 1, 0.5])), strict=True)) for _ in range(24)]
    source = make_labeled(mixes) if labeled else make_folder(24)
    images = source / "images" if labeled else source
    first = calibration_set(source, CLASSES, 8, seed=3)
    assert calibration_set(source, CLASSES, 8, seed=3) == first
    assert calibration_set(source, CLASSES, 8, seed=4).hashes != first.hashes
    for index, path in enumerate(sorted(images.iterdir())):
        path.rename(path.with_name(f"{random.integers(1 << 40):x}-{index}.png"))
        if labeled:
            renamed = next(found for found in images.iterdir() if found.stem.endswith(f"-{index}"))
            (source / "labels" / path.name).rename(source / "labels" / renamed.name)
    assert calibration_set(source, CLASSES, 8, seed=3).hashes == first.hashes


@pytest.mark.parametrize("count", [6, 7, 500])
def test_all_are_taken_where_there_are_not_more(make_folder: MakeScenes, count: int) -> None:
    chosen = calibration_set(make_folder(6), CLASSES, count)
    assert sorted(names(chosen)) == [f"{index:03d}.png" for index in range(6)]
    assert chosen.chosen.startswith("All 6 images")
    short = [note for note in chosen.notes if "there are 6; all are taken" in note]
    assert len(short) == (count > 6)


def test_few_images_are_noted(make_folder: MakeScenes) -> None:
    folder = make_folder(32)
    assert any("31 images are few" in note for note in calibration_set(folder, CLASSES, 31).notes)
    assert not any("are few" in note for note in calibration_set(folder, CLASSES, 32).notes)


@pytest.mark.parametrize("count", [0, -1])
def test_no_images_cannot_be_asked_for(make_folder: MakeScenes, count: int) -> None:
    with pytest.raises(UsageError, match="1 or more were expected"):
        calibration_set(make_folder(2), CLASSES, count)


def test_twins_are_dropped_and_named(make_folder: MakeScenes) -> None:
    folder = make_folder(4)
    shutil.copy(folder / "001.png", folder / "other.png")
    chosen = calibration_set(folder, CLASSES, 5)
    assert len(chosen.images) == len(set(chosen.hashes)) == 4
    assert "other.png" not in names(chosen)
    assert any("the first is other.png, the same as 001.png" in note for note in chosen.notes)


def test_progress_counts_every_image(make_folder: MakeScenes) -> None:
    moves: list[tuple[int, int]] = []
    calibration_set(make_folder(5), CLASSES, 2, progress=lambda done, total: moves.append((done, total)))
    assert moves == [(done, 5) for done in range(1, 6)]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "is random noise": lambda path: write_png(path, noise(0)),
    "is of one color": lambda path: write_png(path, np.full((48, 64, 3), 7, np.uint8)),
    "too small to calibrate on": lambda path: write_png(path, scene(0, (31, 64))),
    "is cut off": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "is not an image": lambda path: path.write_bytes(b"no image at all"),
    "is empty": lambda path: path.write_bytes(b""),
    "cannot be read": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("said", DAMAGES)
@pytest.mark.parametrize("count", [1, 3])
def test_one_useless_image_of_a_folder_is_refused_by_name(make_folder: MakeScenes, said: str, count: int) -> None:
    folder = make_folder(3)
    DAMAGES[said](folder / "001.png")
    with pytest.raises(DatasetError, match=said) as caught:
        calibration_set(folder, CLASSES, count)
    assert "001.png" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 3


def test_a_useless_image_of_a_split_is_refused_by_name(make_labeled: MakeScenes) -> None:
    split = make_labeled([EVERYTHING] * 3)
    write_png(split / "images" / "002.png", noise(0, (40, 50)))
    with pytest.raises(DatasetError, match=r"002\.png is random noise"):
        calibration_set(split, CLASSES, 1)


def test_labels_that_do_not_fit_are_refused(make_labeled: MakeScenes) -> None:
    split = make_labeled([EVERYTHING] * 3)
    write_png(split / "labels" / "001.png", np.full((40, 50), 7, np.uint8))
    with pytest.raises(DatasetError, match=r"001\.png holds the label 7"):
        calibration_set(split, CLASSES, 1)


def test_what_is_no_source_is_refused(tmp_path: Path, make_labeled: MakeScenes) -> None:
    with pytest.raises(DatasetError, match="There is no directory"):
        calibration_set(tmp_path / "absent", CLASSES, 1)
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(DatasetError, match="There is no directory"):
        calibration_set(tmp_path / "film.mp4", CLASSES, 1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        calibration_set(tmp_path / "empty", CLASSES, 1)
    with pytest.raises(DatasetError, match="holds no images") as caught:
        calibration_set(make_labeled([ROAD]).parent, CLASSES, 1)
    assert "train" in caught.value.fix
    (tmp_path / "empty/raw/day").mkdir(parents=True)
    (tmp_path / "empty/raw/day/a.jpg").touch()
    with pytest.raises(DatasetError, match="holds no images") as caught:
        calibration_set(tmp_path / "empty", CLASSES, 1)
    assert caught.value.fix == f"Name the directory that holds the images: {tmp_path / 'empty/raw/day'}."
    with pytest.raises(UsageError):
        calibration_set("synthetic://town", CLASSES, 1)


STREET = "synthetic://street?seed=5&frames=12&size=48x64"


def test_rendered_scenes_are_drawn_again_by_their_address() -> None:
    chosen = calibration_set(STREET, Street.classes, 5)
    assert (chosen.name, chosen.split, chosen.rendered) == ("rendered-street", "train", True)
    assert len(set(names(chosen))) == 5
    assert all(image.path is None and image.read().shape == (48, 64, 3) for image in chosen.images)
    drawn = {sample.address: sample.image() for sample in rendered_splits(STREET)["train"]}
    for image in chosen.images:
        assert (drawn[image.name] == image.read()).all()


def test_the_street_of_the_address_itself_is_left_to_score_on() -> None:
    chosen = calibration_set(STREET, Street.classes, 12)
    assert not any("seed=5&" in name for name in names(chosen))
    assert STREET in chosen.chosen


def test_a_long_drive_is_sampled() -> None:
    moves: list[tuple[int, int]] = []
    address = "synthetic://street?frames=999999999&size=32x32"
    chosen = calibration_set(address, Street.classes, 2, progress=lambda done, total: moves.append((done, total)))
    assert moves[-1] == (8, 8)
    assert len({name.split("&")[0] for name in names(chosen)}) == 2, "of different streets"


def test_a_manifest_gives_its_set_again(make_labeled: MakeScenes, tmp_path: Path) -> None:
    split = make_labeled([ROAD] * 6 + [EVERYTHING] * 2)
    chosen = calibration_set(split, CLASSES, 5)
    manifest = split / "five.json"
    write_manifest(manifest, chosen)
    assert calibration_set(manifest, CLASSES, 5) == chosen
    write_manifest(tmp_path / "elsewhere.json", chosen)
    assert calibration_set(str(tmp_path / "elsewhere.json"), CLASSES, 5, root=split) == chosen
    first = calibration_set(manifest, ("road", "boat"), 2)
    assert names(first) == names(chosen)[:2]
    assert first.chosen.startswith("The first 2 of these: 5 of 8 images")
    assert first.missing_classes == ("boat",)
    more = calibration_set(manifest, CLASSES, 50)
    assert names(more) == names(chosen)
    assert "50 images were asked for and there are 5; all are taken." in more.notes


def test_an_image_that_changed_since_is_refused(make_folder: MakeScenes) -> None:
    folder = make_folder(3)
    chosen = calibration_set(folder, CLASSES, 3)
    write_png(folder / "001.png", scene(77))
    changed = next(image for image in chosen.images if image.name == "001.png")
    with pytest.raises(DatasetError, match=r"001\.png is not the image that was chosen"):
        changed.read()
    (folder / "001.png").unlink()
    with pytest.raises(DatasetError, match=r"001\.png cannot be read"):
        changed.read()
    unchanged = next(image for image in chosen.images if image.name == "002.png")
    assert (unchanged.read() == read_image(folder / "002.png")).all()


def peak_bytes(folder: Path) -> int:
    tracemalloc.start()
    try:
        calibration_set(folder, CLASSES, 16)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_images_are_not_kept(make_folder: MakeScenes) -> None:
    size = (100, 200)
    few, many = make_folder(30, "few", size), make_folder(300, "many", size)
    peak_bytes(few)
    growth = peak_bytes(many) - peak_bytes(few)
    assert growth < 270 * 3000, "one image has 60000 bytes"
